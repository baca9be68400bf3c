import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { UserMistake, errorCode } from '../base/errors.ts';
import { callControl } from './control-socket.ts';
import type { MasterPaths } from './master-dir.ts';

/**
 * One master a folder. On Linux the lock is a socket in the abstract namespace: taken atomically, gone with the process
 * however it ends. Its name is made of the folder's place on the disk and the host key, so that nobody can guess it and a
 * copy of the folder has another. Elsewhere, or in another network namespace, a control socket that answers is the sign.
 */
export async function lockFolder(paths: MasterPaths): Promise<() => Promise<void>> {
  const taken = new UserMistake(
    `a master runs in ${paths.dir} already: stop it first with "trunkline master stop ${paths.dir}"`,
  );
  const release = process.platform === 'linux' ? await holdName(await lockName(paths), taken) : undefined;
  if ((await callControl(paths.controlSocket, { verb: 'status' }, 2_000)).kind === 'answer') {
    await release?.();
    throw taken;
  }
  return async () => await release?.();
}

async function lockName(paths: MasterPaths): Promise<string> {
  const { dev, ino } = await stat(paths.dir);
  const digest = createHash('sha256')
    .update(`${dev} ${ino} `)
    .update(await readFile(paths.hostKey));
  return `\0trunkline-master-${digest.digest('hex').slice(0, 32)}`;
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
