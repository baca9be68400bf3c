import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian keeps the programs of the system, which need not be in a user's PATH. */
const SYSTEM_PATHS = ['/usr/sbin', '/sbin'];

/**
 * True when a program that a test needs is missing here; the reason is printed. At the gate, which installs them all, this
 * is an error.
 */
export function isMissing(...programs: readonly string[]): boolean {
  const missing = programs.filter((program) => !isThere(program));
  if (missing.length === 0) return false;
  const reason = `these programs are missing: ${missing.join(', ')}`;
  if (process.env['CI']) throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return true;
}

function isThere(program: string): boolean {
  return [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_PATHS].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
