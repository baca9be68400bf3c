import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { errorCode } from '../../base/errors.ts';
import { Gate } from '../../base/gate.ts';
import { showDuration } from '../../config/duration.ts';
import type { TestResult } from '../../model/test-result.ts';
import type { FromReading, ReadingData } from './reading-thread.ts';

/** Each has its memory, and a core while it reads. */
const THREADS_AT_ONCE = 2;
const MEMORY_MB = 128;
const LIMIT_MS = 5 * 60_000;

const gate = new Gate(THREADS_AT_ONCE);

/** Gets results in the order of their file; the next ones come when it has taken these. */
export type TakeResults = (results: readonly TestResult[]) => Promise<void>;

/**
 * Reads a file of test results in a thread of its own: it may be of any size and malice, and neither the master's memory nor its
 * other work is to feel it. Resolves to what is wrong with the file, or to undefined. Rejects with what `take` or the signal rejects
 * with.
 */
export function readTestFile(
  clock: Clock,
  data: ReadingData,
  take: TakeResults,
  signal: AbortSignal,
): Promise<string | undefined> {
  return gate.pass(() => readInThread(clock, data, take, signal));
}

async function readInThread(
  clock: Clock,
  data: ReadingData,
  take: TakeResults,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const thread = new Worker(entry(), {
    name: 'trunkline-tests',
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    execArgv: [],
  });
  const end = deferred<string | undefined>();
  const aborted = (): void => end.reject(signal.reason as Error);
  signal.addEventListener('abort', aborted);
  const cancelLimit = clock.after(LIMIT_MS, () => end.resolve(`it took longer than ${showDuration(LIMIT_MS)} to read`));
  thread.on('message', (message: FromReading) => {
    if (message.type === 'end') return end.resolve(message.problem);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is a thread, and no window
    take(message.results).then(() => thread.postMessage('more'), end.reject);
  });
  thread.on('error', (error) => {
    if (errorCode(error) === 'ERR_WORKER_OUT_OF_MEMORY') end.resolve(`it took more than ${MEMORY_MB} MB to read`);
    else end.resolve(`it could not be read: ${error.message}`);
  });
  thread.on('exit', () => end.resolve('the thread that read it ended'));
  try {
    return await end.promise;
  } finally {
    cancelLimit();
    signal.removeEventListener('abort', aborted);
    await thread.terminate();
  }
}

/** Threads run built code, also when this file is run from its source (by tests). */
function entry(): URL {
  const url = new URL('./reading-main.js', import.meta.url);
  if (import.meta.url.endsWith('.ts')) url.pathname = url.pathname.replace(/\/src\/master\//, '/dist/src/master/');
  return url;
}
