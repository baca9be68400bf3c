import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { KeeperSpec } from '../../../../src/worker/keeper/keeper.ts';
import { openKeeper } from '../../../../src/worker/keeper/open-keeper.ts';

/**
 * A daemon that starts one command, so that it has a keeper, and then orders the start of another as soon as it is sent
 * anything; says `ordered` when the order has left. Arguments: spool, both specs as JSON.
 */
const [spoolDir = '', first = '', second = ''] = process.argv.slice(2);
const keeper = await openKeeper({ spoolDir, logger: silentLogger, clock: systemClock, limits: { freeBytes: 0 } });
const spec = JSON.parse(first) as KeeperSpec;
// Told to its end: a keeper that still has something to tell a dead daemon lets go of what that one ordered.
const isTold = new Promise<void>((resolve) => {
  keeper.onProgress((command) => {
    void keeper.find(command).then((held) => {
      if (held?.state === 'finished') resolve();
    });
  });
});
await keeper.start(spec);
await isTold;
process.stdin.on('data', () => {
  void keeper.start(JSON.parse(second) as KeeperSpec);
  setImmediate(() => process.stdout.write('ordered\n'));
});
process.stdout.write('ready\n');
