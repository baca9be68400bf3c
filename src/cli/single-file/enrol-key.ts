import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { UserMistake } from '../../base/errors.ts';
import { loadPrivateKey } from '../../transport/keys.ts';
import { connectSsh } from '../../transport/ssh-client.ts';
import { loadWorkerDir } from '../../worker/worker-dir.ts';

export interface EnrolOptions {
  readonly dir: string;
  readonly sshConfig: string;
}

/** Of ssh itself: no connection, or no login. */
const SSH_FAILED = 255;

/**
 * Has the folder's key let in by the code, over stock ssh. When the code does not log in any more, it may have been used by
 * this very machine, whose answer was lost: then the key opens the door. Rejects with a UserMistake in the master's words.
 */
export async function enrolKey({ dir, sshConfig }: EnrolOptions): Promise<void> {
  const worker = await loadWorkerDir(dir);
  const child = spawn('ssh', ['-T', '-F', sshConfig, 'master', 'enrol'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  // An ssh that could not log in does not read it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(await readFile(worker.paths.publicKey));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status === 0) return;
  if (status === SSH_FAILED && (await opensDoor(dir))) return;
  const lines = said.split(/\r?\n/).filter((line) => line !== '');
  const told = lines.find((line) => line.startsWith('trunkline: ')) ?? lines.at(-1) ?? `ssh ended with ${status}`;
  throw new UserMistake(told.replace(/^trunkline: /, ''));
}

async function opensDoor(dir: string): Promise<boolean> {
  const { paths, name, masters, hostKeys } = await loadWorkerDir(dir);
  const { privateKey } = await loadPrivateKey(paths.key);
  const [master] = masters;
  if (!master) return false;
  try {
    const { host, port } = master;
    (await connectSsh({ host, port, user: name, privateKey, hostKeys })).destroy('it opens');
    return true;
  } catch {
    // Why the code was refused says more.
    return false;
  }
}
