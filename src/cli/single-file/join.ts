import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserMistake, errorText } from '../../base/errors.ts';
import { askWorker } from '../../worker/control.ts';
import { initWorker } from '../../worker/init-worker.ts';
import type { WorkerState } from '../../worker/worker.ts';
import { loadWorkerDir, workerPaths } from '../../worker/worker-dir.ts';
import { enrolKey } from './enrol-key.ts';
import { keepRunning } from './keep-running.ts';

export interface JoinOptions {
  readonly dir: string;
  readonly name: string;
  /** `HOST:PORT` */
  readonly master: string;
  /** Fingerprints to pin. */
  readonly hostKeys: readonly string[];
  /** Of ssh, with the code as the user name. */
  readonly sshConfig: string;
}

/** The first try may find a busy master, or a name server that is slow. */
const CONNECT_MS = 60_000;
const LOOK_MS = 100;

/**
 * Makes the worker that an invitation is for, in steps of which each is left out when it is done already: its folder and key, the
 * key's admission, what keeps it running, and at last the master's word that it is connected. Rejects with a UserMistake.
 */
export async function join(options: JoinOptions): Promise<void> {
  const { dir, name, master } = options;
  await makeFolder(options);
  if ((await stateOf(dir))?.link !== 'connected') {
    await enrolKey(options);
    say(`the master ${master} has let the new key of ${name} in`);
    for (const line of (await stateOf(dir)) ? [] : await keepRunning(dir, name)) say(line);
    await untilConnected(options);
  }
  say(`worker ${name} is connected to ${master}; its folder is ${dir}`);
  if (userInfo().uid === 0) say('its builds run as root: for less, let another user paste such a line');
}

async function makeFolder({ dir, name, master, hostKeys }: JoinOptions): Promise<void> {
  if (!existsSync(workerPaths(dir).config)) {
    await initWorker({ dir, name, masters: [master], hostKeys });
    say(`made the worker's folder and key in ${dir}`);
    return;
  }
  const found = await loadWorkerDir(dir);
  const isOfMaster = hostKeys.some((key) => found.hostKeys.includes(key));
  if (found.name === name && isOfMaster) return;
  const whose = found.name === name ? `of the same name at another master` : found.name;
  throw new UserMistake(
    `${dir} holds the worker ${whose}: say TRUNKLINE_DIR=FOLDER; export TRUNKLINE_DIR, and paste the line again`,
  );
}

/** Undefined when it does not run. */
async function stateOf(dir: string): Promise<WorkerState | undefined> {
  try {
    return (await askWorker(dir, 'status')) as unknown as WorkerState;
  } catch (error) {
    if (error instanceof UserMistake) return undefined;
    throw error;
  }
}

async function untilConnected({ dir, name, master }: JoinOptions): Promise<void> {
  let why = 'it does not run';
  for (const end = performance.now() + CONNECT_MS; performance.now() < end; await sleep(LOOK_MS)) {
    const state = await stateOf(dir).catch((error: unknown) => ({ link: 'waiting' as const, why: errorText(error) }));
    if (state?.link === 'connected') return;
    why = (state && 'why' in state && state.why) || why;
  }
  throw new UserMistake(`worker ${name} was started and does not come to ${master}: ${why}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
