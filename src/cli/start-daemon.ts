import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserMistake, errorText } from '../base/errors.ts';
import { openLogger } from '../base/logger.ts';
import type { Logger, LogLevel } from '../base/logger.ts';
import { isDetached, reportFailure, reportReady, startDetached } from './detach.ts';
import { untilSignal } from './until-signal.ts';

export interface Running {
  /** One line for people. */
  readonly ready: string;
  /** Resolves when it ended by itself or was told to over its control socket. */
  readonly closed: Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Runs a daemon in the foreground until a signal, or (with `detach`) starts it in the background and comes back when it is
 * ready. In the background it logs to `DIR/NAME.log`, in the foreground to stderr.
 */
export async function startDaemon(
  dir: string,
  name: 'master' | 'worker',
  detach: { readonly asked: boolean; readonly args: readonly string[] },
  open: (logger: Logger) => Promise<Running>,
): Promise<void> {
  if (detach.asked) {
    process.stdout.write(`${await startDetached(detach.args)}\n`);
    return;
  }
  // A folder that is none of ours gets no log file: it would come into being by it.
  const file = isDetached() && existsSync(join(dir, `${name}.json`)) ? join(dir, `${name}.log`) : undefined;
  const logger = openLogger({ level: logLevel(), ...(file !== undefined && { file }) });
  try {
    const daemon = await open(logger);
    if (file !== undefined) logger.info(daemon.ready);
    reportReady(daemon.ready);
    await untilSignal(daemon.closed, () => daemon.stop());
  } catch (error) {
    await reportFailure(errorText(error));
    throw error;
  } finally {
    await logger.end();
  }
}

function logLevel(): LogLevel {
  const level = process.env['TRUNKLINE_LOG'] ?? 'info';
  if (level === 'debug' || level === 'info' || level === 'warn' || level === 'error') return level;
  throw new UserMistake(`TRUNKLINE_LOG is "${level}": use debug, info, warn or error`, { exitStatus: 64 });
}
