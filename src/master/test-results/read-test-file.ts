import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { Gate } from '../../base/gate.ts';
import { showDuration } from '../../config/duration.ts';
import type { TestResult } from '../../model/test-result.ts';
import type { FromReading, ReadingData } from './reading-messages.ts';

/** Each has its memory, and a core while it reads. */
const PROCESSES_AT_ONCE = 2;
const MEMORY_MB = 128;
const LIMIT_MS = 5 * 60_000;

const gate = new Gate(PROCESSES_AT_ONCE);

/** Gets results in the order of their file; the next ones come when it has taken these. */
export type TakeResults = (results: readonly TestResult[]) => Promise<void>;

/**
 * Reads a file of test results in a process of its own: it may be of any size and malice, and neither the master's memory nor its
 * other work is to feel it. (A thread that needs much memory at once ends its whole process, whatever its limit.) Resolves to what
 * is wrong with the file, or to undefined, once the last results were taken. Rejects with what `take` or the signal rejects with.
 */
export function readTestFile(
  clock: Clock,
  data: ReadingData,
  take: TakeResults,
  signal: AbortSignal,
): Promise<string | undefined> {
  return gate.pass(() => readInProcess(clock, data, take, signal));
}

async function readInProcess(
  clock: Clock,
  data: ReadingData,
  take: TakeResults,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const child = fork(fileURLToPath(entry()), [JSON.stringify(data)], {
    execArgv: [`--max-old-space-size=${MEMORY_MB}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Not of the terminal's group: what stops the master there is not for it, and must not look like a fault of the file.
    detached: true,
  });
  const end = deferred<string | undefined>();
  const gone = whenGone(child);
  let taken: Promise<void> = Promise.resolve();
  const aborted = (): void => end.reject(signal.reason as Error);
  signal.addEventListener('abort', aborted);
  const cancelLimit = clock.after(LIMIT_MS, () => end.resolve(`it took longer than ${showDuration(LIMIT_MS)} to read`));
  child.on('message', (message) => {
    const told = message as FromReading;
    if (told.type === 'end') return end.resolve(told.problem);
    taken = take(told.results).then(() => void child.send('more'), end.reject);
  });
  child.on('error', (error) => end.resolve(`it could not be read: ${error.message}`));
  child.on('exit', (code, how) => end.resolve(endOf(code, how)));
  try {
    return await end.promise;
  } finally {
    cancelLimit();
    signal.removeEventListener('abort', aborted);
    child.kill('SIGKILL');
    await gone;
    await taken;
  }
}

/** Resolves when it is no more, or was never there. */
function whenGone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    if (child.pid === undefined) resolve();
  });
}

/** It says itself how it ends, unless it cannot: Node aborts when there is no memory. */
function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === 'SIGABRT') return `it took more than ${MEMORY_MB} MB to read`;
  return `the process that read it ended (${signal ?? `exit status ${code}`})`;
}

/** Processes run built code, also when this file is run from its source (by tests). */
function entry(): URL {
  const url = new URL('./reading-main.js', import.meta.url);
  if (import.meta.url.endsWith('.ts')) url.pathname = url.pathname.replace(/\/src\/master\//, '/dist/src/master/');
  return url;
}
