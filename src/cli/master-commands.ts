import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { plainLines } from '../base/plain.ts';
import { askMaster } from '../master/control.ts';
import { DEFAULT_PORT, parseAddress } from './address.ts';
import { findOperatorKey } from './operator-key.ts';
import { addHostKeyCommands } from './hostkey-commands.ts';
import { readTime } from './read-time.ts';
import { runCommand } from './run-command.ts';
import { startDaemon } from './start-daemon.ts';

/** What a command is made of is loaded when it is run: neither `worker start` nor `stop` waits for a database and a compiler. */
export function addMasterCommands(program: Command): void {
  const master = program.command('master').description('the master: takes workers and people in, and hands out builds');

  master
    .command('init <dir>')
    .description('make a folder for a master: configuration, keys, host key; prints what to do next')
    .option('--listen <host:port>', 'where it listens for workers and people', `0.0.0.0:${DEFAULT_PORT}`)
    .option('--operator <name>', 'name of the first operator', process.env['USER'] ?? 'admin')
    .option('--operator-key <file>', "the operator's public key (default: yours in ~/.ssh)")
    .action((dir: string, options: { listen: string; operator: string; operatorKey?: string }) =>
      runCommand(async () => {
        const listen = parseAddress(options.listen, DEFAULT_PORT);
        const key = await findOperatorKey(options.operatorKey);
        const { initMaster } = await import('../master/init-master.ts');
        const made = await initMaster(resolve(dir), { listen, operator: { name: options.operator, key } });
        process.stdout.write(`${made.next.join('\n')}\n`);
      }),
    );

  master
    .command('check <dir>')
    .description('load and check the configuration; changes nothing')
    .action((dir: string) =>
      runCommand(async () => {
        const { checkMaster } = await import('../master/check-master.ts');
        process.stdout.write(plainLines(`${(await checkMaster(resolve(dir))).join('\n')}\n`));
      }),
    );

  master
    .command('start <dir>')
    .description('run the master')
    .option('--listen <host:port>', 'listen here instead of where its folder says')
    .option('--detach', 'go to the background when it is ready; log to DIR/master.log')
    .action((dir: string, options: { listen?: string; detach?: boolean }) =>
      runCommand(() => start(resolve(dir), options)),
    );

  master
    .command('reload <dir>')
    .description('load the configuration anew; running builds keep theirs')
    .action((dir: string) =>
      runCommand(async () => {
        const { differences, warnings } = await askMaster(resolve(dir), 'reload');
        for (const warning of warnings) process.stderr.write(plainLines(`trunkline: warning: ${warning}\n`));
        process.stdout.write(plainLines(`${differences.length > 0 ? differences.join('\n') : 'nothing changed'}\n`));
      }),
    );

  master
    .command('stop <dir>')
    .description('stop the master; running builds go on and are found again at its next start')
    .option('--for <time>', "it will be away for so long ('2h'): workers hold their builds until then")
    .action((dir: string, options: { for?: string }) => runCommand(() => stop(resolve(dir), options.for)));

  addHostKeyCommands(master);
}

async function stop(dir: string, absence: string | undefined): Promise<void> {
  if (absence !== undefined) {
    const { silent, away } = await askMaster(dir, 'absence', { absenceMs: readTime('--for', absence) });
    for (const worker of silent)
      process.stderr.write(`trunkline: ${worker} did not say that it holds its builds: ${EARLY}\n`);
    for (const worker of away) process.stderr.write(`trunkline: ${worker} is away and cannot be told: ${EARLY}\n`);
  }
  await askMaster(dir, 'stop');
  process.stdout.write('stopped; running builds go on\n');
}

/** What a build's worker does that was not told of an absence. */
const EARLY = 'those that may be retried elsewhere it ends when their time out of sight is over';

async function start(dir: string, options: { readonly listen?: string; readonly detach?: boolean }): Promise<void> {
  const listen = options.listen === undefined ? undefined : parseAddress(options.listen, DEFAULT_PORT);
  const args = ['master', 'start', dir, ...(options.listen === undefined ? [] : ['--listen', options.listen])];
  await startDaemon(dir, 'master', { asked: options.detach ?? false, args }, async (logger) => {
    const [{ openMaster }, { openWeb }, { openHooks }, { answerCall }] = await Promise.all([
      import('../master/master.ts'),
      import('../web/open-web.ts'),
      import('../web/hooks/open-hooks.ts'),
      import('../frontdoor/answer-call.ts'),
    ]);
    const master = await openMaster({
      dir,
      clock: systemClock,
      logger,
      ...(listen && { listen }),
      openWeb,
      openHooks,
      onPerson: (operator, asker, call) => answerCall({ operator, clock: systemClock, logger }, asker, call),
    });
    const hooks = master.hooksPort === undefined ? '' : `, webhooks on port ${master.hooksPort}`;
    return {
      ready: `master listens on ${master.host}:${master.port}, host key ${master.hostKeyFingerprint}${hooks}`,
      closed: master.closed,
      stop: () => master.stop(),
    };
  });
}
