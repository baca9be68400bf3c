import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PollBench } from '../../../support/poll-bench.ts';
import type { GitOptions } from '../../../support/poll-bench.ts';

/** Polls once, in a folder that there is; kills itself, as with kill -9, around the commit it is told, or has git do so. */
const [dir = '', url = '', options = '{}', killAt = '', phase = ''] = process.argv.slice(2);
writeFileSync(join(dir, 'pid'), String(process.pid));
const bench = await PollBench.open(
  { p: [url, JSON.parse(options) as GitOptions] },
  {
    dir,
    onCommit(point) {
      if (point.n === Number(killAt) && point.phase === phase) process.kill(process.pid, 'SIGKILL');
    },
  },
);
await bench.polls.poll(url);
await bench.leave();
