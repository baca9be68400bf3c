import { errorText } from '../../base/errors.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { serveKeeper } from './keeper-server.ts';

/** Started by `startKeeperProcess` with one argument: where, and within which limits. Its errors go to the spool's keeper log. */
const { spoolDir, socketPath, limits } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly spoolDir: string;
  readonly socketPath: string;
  readonly limits: KeeperLimits;
};

function warn(message: string): void {
  process.stderr.write(`${new Date().toISOString()} keeper ${process.pid}: ${message}\n`);
}

// A hang-up or an interrupt on the terminal of whoever started the daemon is not meant for the commands.
process.on('SIGHUP', () => undefined);
process.on('SIGINT', () => undefined);

try {
  await serveKeeper({ spoolDir, socketPath, limits, warn });
} catch (error) {
  warn(`ends: ${errorText(error)}`);
  process.exitCode = 1;
}
