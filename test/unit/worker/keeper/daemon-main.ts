import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { momentOf } from '../../../../src/base/moment.ts';
import type { KeeperSpec } from '../../../../src/worker/keeper/keeper.ts';
import { openKeeper } from '../../../../src/worker/keeper/open-keeper.ts';

/** A daemon in its master's sight that starts one command and then hangs on until it is killed. Arguments: spool, spec as JSON. */
const SEEN_EVERY_MS = 100;

const [spoolDir = '', spec = ''] = process.argv.slice(2);
const keeper = await openKeeper({ spoolDir, logger: silentLogger, clock: systemClock, limits: { freeBytes: 0 } });
const see = (): void => keeper.seen(momentOf(systemClock), SEEN_EVERY_MS);
see();
await keeper.start(JSON.parse(spec) as KeeperSpec);
process.stdout.write('started\n');
setInterval(see, SEEN_EVERY_MS);
