import { writeSync } from 'node:fs';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { chunkOf, noise } from '../../support/log-chunks.ts';

/**
 * Fills a log with two chunks and completes it, upon which it is sealed: four commits. Kills itself, as with kill -9, before
 * or after the one it is told; says on its output each length that was acknowledged.
 */
const [file = '', archiveDir = '', logId = '', killAt = '', phase = ''] = process.argv.slice(2);
const store = await openStore({
  file,
  archiveDir,
  logger: silentLogger,
  clock: systemClock,
  onCommit: (point) => {
    if (point.n === Number(killAt) && point.phase === phase) process.kill(process.pid, 'SIGKILL');
  },
});
const id = Number(logId);
const half = 60_000;
const bytes = noise(2 * half);
for (const at of [0, half]) {
  await store.logs.append(id, chunkOf(bytes.subarray(at, at + half), at, 'gzip'));
  writeSync(1, `${at + half}\n`);
}
await store.logs.complete(id, 2);
// The sealing goes on by itself; stay until it ends us.
setInterval(() => undefined, 60_000);
