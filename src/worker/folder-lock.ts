import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { UserMistake, errorCode } from '../base/errors.ts';
import { askControl } from './control-client.ts';
import type { WorkerDir } from './worker-dir.ts';

/**
 * One daemon a folder. On Linux the lock is a socket in the abstract namespace: taken atomically, gone with the process however
 * it ends, and nothing to clean up. Its name is made from the folder's place on the disk and the worker's key, so a copy of
 * the folder has another. Elsewhere, and for a daemon in another network namespace, the control socket that answers is the sign.
 */
export async function lockWorkerDir(dir: WorkerDir): Promise<() => Promise<void>> {
  const taken = new UserMistake(
    `a worker runs in ${dir.path} already: stop it first with "trunkline worker stop ${dir.path}"`,
  );
  const release = process.platform === 'linux' ? await holdName(await lockName(dir), taken) : undefined;
  if (await isAnswered(dir)) {
    await release?.();
    throw taken;
  }
  return async () => await release?.();
}

async function lockName(dir: WorkerDir): Promise<string> {
  const { dev, ino } = await stat(dir.path);
  const digest = createHash('sha256')
    .update(`${dev} ${ino} `)
    .update(await readFile(dir.paths.key));
  return `\0trunkline-worker-${digest.digest('hex').slice(0, 32)}`;
}

function holdName(path: string, taken: UserMistake): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => reject(errorCode(error) === 'EADDRINUSE' ? taken : error));
    server.listen({ path }, () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}

async function isAnswered(dir: WorkerDir): Promise<boolean> {
  return (await askControl(dir.paths.controlSocket, 'status', 2_000)).kind === 'answer';
}
