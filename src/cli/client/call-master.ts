import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { deferred } from '../../base/deferred.ts';
import { UserMistake, errorCode } from '../../base/errors.ts';
import { sshArguments } from './remote-call.ts';
import type { RemoteCall } from './remote-call.ts';
import { readWorkingTree } from './working-tree.ts';

/** As shells have it for a program that is not there. */
const EX_NO_PROGRAM = 127;
/** As `ssh -t` and shells have it. */
const EX_INTERRUPTED = 130;
/** ssh's own: it could not, or was interrupted. */
const EX_SSH = 255;
/** A signal that came with the one that ended ssh is heard after so long at the latest. */
const SIGNAL_MS = 200;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Has stock ssh say the verb; resolves to its exit status. A `try` that is given no patch takes the working tree's. */
export async function callMaster(call: RemoteCall): Promise<number> {
  // Before anything is read: a wrong name is told first.
  sshArguments(call);
  if (call.words[0] !== 'try' || call.words.includes('--help') || hasInput()) return await runSsh(call);
  const { words, patch } = await readWorkingTree(call.words);
  return await runSsh({ ...call, words }, patch);
}

async function runSsh(call: RemoteCall, input?: Uint8Array): Promise<number> {
  const interrupted = deferred();
  let isInterrupted = false;
  let child: ChildProcess | undefined;
  const pass = (signal: NodeJS.Signals): void => {
    // ^C comes to both; ssh ends by it, and its end is ours.
    if (signal !== 'SIGINT') child?.kill(signal);
    else {
      isInterrupted = true;
      interrupted.resolve();
    }
  };
  // Before there is an ssh that could be interrupted.
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    child = spawn('ssh', sshArguments(call), { stdio: [input ? 'pipe' : 'inherit', 'inherit', 'inherit'] });
    // A master that refuses a patch does not read it to its end.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    // ^C may still be on its way from another thread of this process, while the end of ssh that it caused is here already.
    if (status === EX_SSH || signal === 'SIGINT') await Promise.race([interrupted.promise, setTimeout(SIGNAL_MS)]);
    if (isInterrupted) return EX_INTERRUPTED;
    return status ?? 128 + (signal ? constants.signals[signal] : 0);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    const what = "there is no ssh on this machine's PATH: install OpenSSH's client (Debian: openssh-client)";
    throw new UserMistake(what, { exitStatus: EX_NO_PROGRAM, cause: error });
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}

/** A file, a pipe or a socket may hold a patch; a terminal, `/dev/null` or nothing at all does not. */
function hasInput(): boolean {
  try {
    const stat = fstatSync(0);
    return stat.isFile() || stat.isFIFO() || stat.isSocket();
  } catch (error) {
    if (errorCode(error) === 'EBADF') return false;
    throw error;
  }
}
