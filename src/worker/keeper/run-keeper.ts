import { writeSync } from 'node:fs';
import { errorText } from '../../base/errors.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { serveKeeper } from './keeper-server.ts';

/**
 * The life of a keeper's process. Started by `startKeeperProcess` with one argument: where, and within which limits. Its errors
 * go to the spool's keeper log.
 */
export async function runKeeper(argument: string): Promise<void> {
  const { spoolDir, socketPath, limits } = JSON.parse(argument) as {
    readonly spoolDir: string;
    readonly socketPath: string;
    readonly limits: KeeperLimits;
  };
  // A hang-up or an interrupt on the terminal of whoever started the daemon is not meant for the commands.
  process.on('SIGHUP', () => undefined);
  process.on('SIGINT', () => undefined);
  try {
    await serveKeeper({ spoolDir, socketPath, limits, warn });
  } catch (error) {
    warn(`ends: ${errorText(error)}`);
    process.exitCode = 1;
  }
}

function warn(message: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} keeper ${process.pid}: ${message}\n`);
  } catch {
    // The disk that is full may be the log's, too: what runs is not to end for a line that nobody can read.
  }
}
