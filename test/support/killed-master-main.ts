import { systemClock } from '../../src/base/clock.ts';
import { openLogger } from '../../src/base/logger.ts';
import { answerCall } from '../../src/frontdoor/answer-call.ts';
import { openMaster } from '../../src/master/master.ts';
import { openHooks } from '../../src/web/hooks/open-hooks.ts';
import { KillSwitch } from './kill-switch.ts';

/** `trunkline master start DIR --listen HOST:PORT`, but killed around a commit when the file `KILL_MASTER` says so. */
const [, , dir = '', , listen = ''] = process.argv.slice(2);
const [host = '', port = ''] = listen.split(':');
const logger = openLogger({ level: 'info' });
const kill = new KillSwitch(process.env['KILL_MASTER'] ?? '');
let n = 0;
const master = await openMaster({
  dir,
  ...(listen !== '' && { listen: { host, port: Number(port) } }),
  clock: systemClock,
  logger,
  openHooks,
  onPerson: (operator, asker, call) => answerCall({ operator, clock: systemClock, logger }, asker, call),
  onCommit({ phase }) {
    if (phase === 'before') n = kill.before();
    else kill.after(n);
  },
});
process.stdout.write(`master listens on ${master.host}:${master.port}, webhooks on port ${master.hooksPort ?? 0}\n`);
