import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { UserMistake, errorCode } from '../base/errors.ts';
import { shellWord } from '../base/shell-word.ts';
import { askWorker } from '../worker/control.ts';
import type { HostKeyQuestion } from '../worker/init-way.ts';
import type { MadeWorker } from '../worker/init-worker.ts';
import { CALLED } from '../worker/worker-dir.ts';
import { DEFAULT_PORT, parseAddress } from './address.ts';
import { jumpLines } from './jump-lines.ts';
import { readTime } from './read-time.ts';
import { runCommand } from './run-command.ts';
import { startDaemon } from './start-daemon.ts';
import { VERSION } from './version.ts';

interface InitOptions {
  readonly master: string;
  readonly name: string;
  readonly hostKey?: readonly string[];
  readonly jump?: readonly string[];
  readonly jumpHostKey?: readonly string[];
  readonly jumpKey?: readonly string[];
  readonly proxyCommand?: string;
}

interface StartOptions {
  readonly detach?: boolean;
  readonly once?: boolean;
  readonly idleExit?: string;
}

/** How this program is called, where it is not the command line of the whole. */
export interface WorkerProgram {
  /** The words before a verb of a worker. */
  readonly words: readonly string[];
  /** The program with these words, as a person types it. */
  readonly called: string;
  /** What Node is given to become a keeper. */
  readonly keeperProgram?: readonly string[];
}

export function addWorkerCommands(program: Command): void {
  const worker = program.command('worker').description('a worker: connects to its master and runs what builds need');
  addWorkerVerbs(worker, { words: ['worker'], called: CALLED });
}

export function addWorkerVerbs(worker: Command, { words, called, keeperProgram }: WorkerProgram): void {
  worker
    .command('init <dir>')
    .description('make a folder for a worker and its key; prints what to do next')
    .requiredOption('--master <host[:port],…>', 'the master, or several in order')
    .requiredOption('--name <name>', "the worker's name, as in the master's configuration")
    .option('--host-key <fingerprint>', "SHA256:… of the master's host key; again for a second one", collect)
    .option('--jump <user@host[:port],…>', 'a jump host on the way; again for the next one', collectList)
    .option('--jump-host-key <fingerprint>', "SHA256:… of the jump host's key; again for the next one's", collect)
    .option('--jump-key <file>', 'a private key for the jump hosts instead of a new one; again for each', collect)
    .option('--proxy-command <command>', 'its stdin and stdout are the connection; %h %p %r as with ssh')
    .action((dir: string, options: InitOptions) =>
      runCommand(async () => {
        const { initWorker } = await import('../worker/init-worker.ts');
        const made = await initWorker({
          dir: resolve(dir),
          name: options.name,
          masters: options.master.split(','),
          hostKeys: options.hostKey ?? [],
          jump: options.jump ?? [],
          jumpHostKeys: options.jumpHostKey ?? [],
          jumpKeys: options.jumpKey ?? [],
          ...(options.proxyCommand === undefined ? {} : { proxyCommand: options.proxyCommand }),
          confirm: askOnTerminal,
        });
        process.stdout.write(`${nextLines(dir, options, made, called).join('\n')}\n`);
      }),
    );

  worker
    .command('start <dir>')
    .description('run the worker')
    .option('--detach', 'go to the background; log to DIR/worker.log')
    .option('--once', 'take one build, then end with status 0')
    .option('--idle-exit <time>', "end with status 0 when nothing was run for so long ('10m')")
    .action((dir: string, options: StartOptions) =>
      runCommand(async () => {
        const { detach = false, once = false, idleExit } = options;
        const stay = [...(once ? ['--once'] : []), ...(idleExit === undefined ? [] : ['--idle-exit', idleExit])];
        const idleExitMs = idleExit === undefined ? undefined : readTime('--idle-exit', idleExit);
        await startDaemon(
          resolve(dir),
          'worker',
          { asked: detach, args: [...words, 'start', resolve(dir), ...stay] },
          async (logger) => {
            const { openWorker } = await import('../worker/worker.ts');
            const daemon = await openWorker({
              dir: resolve(dir),
              clock: systemClock,
              logger,
              called,
              version: VERSION,
              isOnce: once,
              ...(idleExitMs !== undefined && { idleExitMs }),
              ...(keeperProgram && { keeperProgram }),
            });
            return { ready: `worker ${daemon.name} runs`, closed: daemon.closed, stop: () => daemon.stop() };
          },
        );
      }),
    );

  worker
    .command('drain <dir>')
    .description('take no more builds; the worker ends when its last one has, and is not started again by systemd')
    .option('--reason <text>', 'for those whose builds wait')
    .action((dir: string, { reason }: { reason?: string }) =>
      runCommand(async () => {
        const { name } = await askWorker(resolve(dir), 'drain', { called, ...(reason !== undefined && { reason }) });
        process.stdout.write(`worker ${String(name)} takes no more builds, and ends when nothing runs there\n`);
      }),
    );

  worker
    .command('rotate <dir>')
    .description('make a new key and come back to the master with it; what the worker runs goes on')
    .action((dir: string) =>
      runCommand(async () => {
        const { fingerprint } = await askWorker(resolve(dir), 'rotate', { called });
        process.stdout.write(`the worker has a new key: ${String(fingerprint)}\n`);
      }),
    );

  worker
    .command('stop <dir>')
    .description('stop the worker; what it runs goes on and is found again at its next start')
    .action((dir: string) =>
      runCommand(async () => {
        await askWorker(resolve(dir), 'stop', { called });
        process.stdout.write('stopped; running commands go on\n');
      }),
    );
}

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function collectList(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',')];
}

function nextLines(
  dir: string,
  { name, master, jump = [] }: InitOptions,
  { publicKeyLine, jumpKeyLine }: MadeWorker,
  called: string,
): readonly string[] {
  const { host, port } = parseAddress(master.split(',')[0]?.trim() ?? '', DEFAULT_PORT);
  const path = resolve(dir);
  return [
    publicKeyLine,
    '',
    `worker ${name} is made, and this is its public key. Let it in, as an operator of the master:`,
    `  ssh -p ${port} YOU@${host} worker add ${name} < ${shellWord(join(path, 'key.pub'))}`,
    ...(jumpKeyLine === undefined ? [] : jumpLines(jump, master.split(','), jumpKeyLine)),
    'Then start it:',
    `  ${called} start ${shellWord(path)} --detach`,
  ];
}

/** Asks once, on a terminal; without one nothing is trusted. */
async function askOnTerminal(fingerprint: string, { whose, option }: HostKeyQuestion): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UserMistake(
      `${whose} shows host key ${fingerprint}; compare it with what its administrator sees and give it with ${option} ${fingerprint}`,
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`the host key of ${whose} is ${fingerprint}. Is that right? (yes/no) `);
    return answer.trim().toLowerCase() === 'yes';
  } catch (error) {
    // ^C and ^D end the question, and with it the command.
    if (errorCode(error) !== 'ABORT_ERR') throw error;
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}
