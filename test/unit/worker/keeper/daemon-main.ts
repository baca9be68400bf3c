import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { KeeperSpec } from '../../../../src/worker/keeper/keeper.ts';
import { openKeeper } from '../../../../src/worker/keeper/open-keeper.ts';

/** A daemon that starts one command and then hangs on until it is killed. Arguments: spool, spec as JSON. */
const [spoolDir = '', spec = ''] = process.argv.slice(2);
const keeper = await openKeeper({ spoolDir, logger: silentLogger, clock: systemClock, limits: { freeBytes: 0 } });
await keeper.start(JSON.parse(spec) as KeeperSpec);
process.stdout.write('started\n');
setInterval(() => undefined, 60_000);
