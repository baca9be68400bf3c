import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { callControl } from './control-socket.ts';
import { UserMistake, errorCode } from './errors.ts';
import { shellWord } from './shell-word.ts';

interface FolderSecret {
  /** `master`, `worker`: what the folder is of. */
  readonly noun: string;
  readonly dir: string;
  /** A file of the folder that nobody else can read: with it nobody can guess the lock's name. */
  readonly secretFile: string;
}

export interface FolderLockOptions extends FolderSecret {
  /** The program and its words before a verb, as a person types them: `trunkline worker`. */
  readonly called: string;
  readonly controlSocket: string;
}

const ANSWER_TIMEOUT_MS = 2_000;

/**
 * One daemon a folder; resolves with what lets go. On Linux the lock is a socket in the abstract namespace: taken
 * atomically, gone with the process however it ends, and nothing to clean up. Its name is made of the folder's place on the
 * disk and its secret, so a copy of the folder has another. Elsewhere, and for a daemon in another network namespace, the
 * control socket that answers is the sign. Throws a UserMistake when the folder is taken.
 */
export async function lockFolder(options: FolderLockOptions): Promise<() => Promise<void>> {
  const { noun, dir, called } = options;
  const taken = new UserMistake(
    `a ${noun} runs in ${dir} already: stop it first with "${called} stop ${shellWord(dir)}"`,
  );
  const release = process.platform === 'linux' ? await holdName(await lockName(options), taken) : undefined;
  if ((await callControl(options.controlSocket, 'status', ANSWER_TIMEOUT_MS)).kind === 'answer') {
    await release?.();
    throw taken;
  }
  return async () => await release?.();
}

/**
 * For the daemon that holds the folder and is about to have another secret: holds it also under the name that it has by that
 * one, so that there is no moment in which another daemon finds a free name. `secretFile` holds the coming secret.
 */
export async function holdAlso({ noun, dir, secretFile }: FolderSecret): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return () => Promise.resolve();
  const taken = new UserMistake(`a ${noun} holds ${dir} by the secret of ${secretFile} already`);
  return await holdName(await lockName({ noun, dir, secretFile }), taken);
}

async function lockName({ noun, dir, secretFile }: FolderSecret): Promise<string> {
  const { dev, ino } = await stat(dir);
  const digest = createHash('sha256')
    .update(`${dev} ${ino} `)
    .update(await readFile(secretFile));
  return `\0trunkline-${noun}-${digest.digest('hex').slice(0, 32)}`;
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
