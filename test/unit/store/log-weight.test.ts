import { expect, onTestFinished, test } from 'vitest';
import { chunkOf, hole, noise } from '../../support/log-chunks.ts';
import { sealed } from '../../support/sealed.ts';
import { TempStore, emptyLog } from '../../support/temp-store.ts';

const CHUNK_BYTES = 256 * 1024;

test('a log weighs the same in the archive as in rows, also of bytes that gzip makes no fewer', async () => {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  const log = await emptyLog(store);
  const lengths = [CHUNK_BYTES, 1, CHUNK_BYTES, 1_000];
  let end = 0;
  for (const length of lengths) {
    await store.logs.append(log.id, chunkOf(noise(length, end + 1), end, 'raw'));
    end += length;
  }
  await store.logs.append(log.id, hole(end, 1_000_000));
  expect(await store.logs.weigh(log.id, 4_096)).toBe(end + 4_096);
  await sealed(temp, log.id, end + 1_000_000);
  expect(await store.logs.weigh(log.id, 4_096)).toBe(end + 4_096);
});
