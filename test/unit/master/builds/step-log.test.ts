import { expect, onTestFinished, test } from 'vitest';
import { appendText } from '../../../../src/master/builds/step-log.ts';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import { readAll } from '../../../support/log-chunks.ts';
import { emptyLog, TempStore } from '../../../support/temp-store.ts';

test('a text of which a part was written before a kill goes on where it was, and is whole', async () => {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  const text = `${'é line\n'.repeat(150_000)}end`;
  const log = await emptyLog(store);
  // A kill leaves whole chunks.
  const first = Buffer.from(text).subarray(0, LIMITS.chunkBytes);
  const lines = first.toString('latin1').split('\n').length - 1;
  await store.logs.append(log.id, { offset: 0, length: first.length, atMs: 1, lines, codec: 'raw', body: first });
  const found = await store.logs.find(log.id);
  if (!found) throw new Error('there is no log');
  await appendText(store.logs, found, text, 2);
  expect((await readAll(store, log.id)).toString()).toBe(text);
  expect(await store.logs.find(log.id)).toMatchObject({ lines: 150_000 });
});
