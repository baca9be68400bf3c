import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { runInNewContext } from 'node:vm';

/** Loaded into the daemons (`NODE_OPTIONS=--import`): on SIGUSR2 they write how much memory they use, after a collection. */
const folder = process.env['CHAOS_MEASURES'];
if (folder !== undefined && isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  process.on('SIGUSR2', () => {
    collect();
    writeFileSync(`${folder}/${process.pid}`, JSON.stringify(process.memoryUsage()));
  });
}
