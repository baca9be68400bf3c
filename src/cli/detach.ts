import { spawn } from 'node:child_process';
import { UserMistake } from '../base/errors.ts';

/** What a detached daemon tells the command that started it. */
type Report = { readonly ready: string } | { readonly failed: string };

/**
 * Starts this same command line again without `--detach`, in a session of its own; resolves with its first line when it is
 * ready, rejects with its own words when it could not start. Its log goes where the daemon writes it.
 */
export function startDetached(args: readonly string[]): Promise<string> {
  const program = process.argv[1];
  if (program === undefined) throw new UserMistake('cannot tell which program this is: start without --detach');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, [DETACHED]: '1' },
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(
        new UserMistake(`the daemon ended before it was ready (${signal ?? `exit status ${code}`}); its log says more`),
      );
    });
    child.once('message', (message) => {
      const report = message as Report;
      child.removeAllListeners('exit');
      if (child.connected) child.disconnect();
      child.unref();
      if ('ready' in report) resolve(report.ready);
      else reject(new UserMistake(report.failed));
    });
  });
}

const DETACHED = 'TRUNKLINE_DETACHED';

/** True in a process that `startDetached` made. */
export function isDetached(): boolean {
  return process.env[DETACHED] === '1';
}

/** Tells the starting command, or a person, that the daemon is ready. */
export function reportReady(line: string): void {
  if (process.send) process.send({ ready: line } satisfies Report, () => process.disconnect());
  else process.stdout.write(`${line}\n`);
}

/** In a detached process tells the starting command why it cannot start; elsewhere does nothing. */
export function reportFailure(message: string): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) return resolve();
    process.send({ failed: message } satisfies Report, () => resolve());
  });
}
