import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { LocalBus } from '../../../src/bus/local-bus.ts';
import { readLog } from '../../../src/master/operator-log.ts';
import type { Store } from '../../../src/store/store.ts';
import { chunkOf } from '../../support/log-chunks.ts';
import { emptyLog, TempStore } from '../../support/temp-store.ts';

let temp: TempStore;
let store: Store;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
});
afterEach(() => temp.remove());

test('whoever asks for a deleted log is told when it was deleted', async () => {
  const { id, buildId } = await emptyLog(store);
  await store.logs.append(id, chunkOf(Buffer.from('text\n'), 0, 'raw'));
  await store.logs.complete(id, 1);
  await store.builds.finish(buildId, 'success', undefined, 2);
  await store.retention.dropLogs(buildId, Date.UTC(2026, 0, 2, 3, 4));
  const parts = { store, bus: new LocalBus(silentLogger), clock: temp.clock };
  const pieces = readLog(parts, String(buildId), 'make', { from: 0, follow: true });
  await expect(pieces.next()).rejects.toThrow(
    `the log "stdio" of step "make" of build ${buildId} was deleted (2026-01-02 03:04 UTC): the configuration says what is kept`,
  );
});
