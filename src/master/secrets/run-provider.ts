import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { showDuration } from '../../config/duration.ts';
import { LONGEST_SECRET_BYTES, NEWLINE_BYTES } from '../../model/secret.ts';
import { SecretError } from './secret-error.ts';

const OUTPUT_BYTES = LONGEST_SECRET_BYTES + NEWLINE_BYTES;

/**
 * What a program prints that knows a secret. What it complains of is told nowhere, as it may quote the secret. Rejects with a
 * `SecretError` when it does not exit with 0 in time, or prints more than a secret.
 */
export async function runProvider(
  name: string,
  { argv, timeoutMs }: { readonly argv: readonly string[]; readonly timeoutMs: number },
  { dir, clock }: { readonly dir: string; readonly clock: Clock },
): Promise<Buffer> {
  const [program = '', ...args] = argv;
  const what = `secret "${name}": its command ${program}`;
  // In a group of its own, so that all that it starts ends with it.
  const child = spawn(program, args, { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  let why: string | undefined;
  const end = (reason: string): void => {
    why ??= reason;
    endGroup(child.pid);
  };
  const pieces: Buffer[] = [];
  let length = 0;
  child.stdout.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length > OUTPUT_BYTES) end(`printed more than ${LONGEST_SECRET_BYTES} bytes`);
    else pieces.push(piece);
  });
  const cancel = clock.after(timeoutMs, () => end(`took longer than ${showDuration(timeoutMs)}`));
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (why === undefined && status !== 0) {
      why = `ended with ${status === null ? String(signal) : `status ${status}`}; run it by hand as the master's user to see why`;
    }
  } catch (error) {
    why = `cannot be started: ${errorText(error)}`;
  } finally {
    cancel();
    endGroup(child.pid);
  }
  if (why !== undefined) throw new SecretError(`${what} ${why}`);
  return Buffer.concat(pieces);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
