import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorCode } from '../../base/errors.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { KeeperGone, KeeperLine } from './keeper-line.ts';
import type { KeeperEars } from './keeper-line.ts';
import { newSocketPath } from './keeper-socket.ts';
import { KEEPER_VERSION } from './order-line.ts';

const LOG_BYTES = 1024 * 1024;
/** A machine under load needs its time to start a program. */
const START_BOUND_MS = 60_000;
const LOOK_MS = 5;

export interface StartOptions {
  readonly spoolDir: string;
  readonly socketDir: string;
  readonly limits: KeeperLimits;
  /** What Node is given before the keeper's one argument. */
  readonly program: readonly string[];
  readonly hears: KeeperEars;
}

/** Starts a keeper in a session of its own and connects to it. Rejects with KeeperGone when it was killed before it listened. */
export async function startKeeperProcess(options: StartOptions): Promise<KeeperLine> {
  const { spoolDir, socketDir, limits, program, hears } = options;
  const socketPath = newSocketPath(socketDir, `${process.pid.toString(36)}${Date.now().toString(36).slice(-6)}`);
  const logPath = join(spoolDir, '.keeper.log');
  if ((statSync(logPath, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) truncateSync(logPath);
  const log = openSync(logPath, 'a', 0o600);
  const argument = JSON.stringify({ spoolDir, socketPath, limits });
  const child = spawn(process.execPath, [...program, argument], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: Error | undefined;
  const fail = (why: string): Error =>
    new Error(`the keeper ${program.join(' ')} could not be started: ${why}; see ${logPath}`);
  child.on('error', (error) => (failure = fail(error.message)));
  child.on('exit', (code, signal) => {
    // Who ran short of memory, say, has killed it: another one may live.
    failure = signal ? new KeeperGone(`the keeper was killed as it started (${signal})`) : fail(`it ended (${code})`);
  });
  child.unref();
  for (const end = performance.now() + START_BOUND_MS; ;) {
    if (existsSync(socketPath)) {
      try {
        return await KeeperLine.open(socketPath, KEEPER_VERSION, hears);
      } catch (error) {
        // Bound but not listening yet.
        if (errorCode(error) !== 'ECONNREFUSED') throw error;
      }
    }
    if (failure) throw failure;
    if (performance.now() > end)
      throw new Error(`the keeper ${program.join(' ')} did not listen in time; see ${logPath}`);
    await sleep(LOOK_MS);
  }
}

/** The built program, also for one who runs the sources as they are. */
export function keeperProgram(): readonly string[] {
  const here = fileURLToPath(import.meta.url);
  const beside = join(here, '..', 'keeper-main.js');
  return [here.endsWith('.ts') ? join(here, '../../../../dist/src/worker/keeper/keeper-main.js') : beside];
}
