import { deferred } from '../../../base/deferred.ts';
import type { Feed } from '../../../config/code-host.ts';
import type { Log } from '../../../model/log.ts';
import { Wake } from '../../wake.ts';
import type { BuildTools } from '../build-tools.ts';

export interface LogFeed {
  /** Whose output it is; its log may not be there yet. */
  readonly command: string;
  /** The command has ended, or is not waited for any more: its log is as long as it gets. */
  readonly done: Promise<void>;
  readonly feed: Feed;
  /** The step is to end: nobody waits for the rest. */
  readonly signal: AbortSignal;
}

/** A lost signal costs no more. */
const SLOW_MS = 5_000;

/**
 * Feeds an observer from the stored log, from its first byte, as it grows: so the lines are the same when the step is run again,
 * and a slow observer holds up neither the command nor its log. Resolves when all of it was taken, or nobody listens any more.
 */
export async function feedLog(
  { store, bus, clock }: Pick<BuildTools, 'store' | 'bus' | 'clock'>,
  { command, done, feed, signal }: LogFeed,
): Promise<void> {
  let log: Log | undefined;
  let from = 0;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  done.then(end, end);
  const wake = new Wake(clock, SLOW_MS)
    .on(bus, 'logs', (key) => !log || key === log.id)
    .until(ended.signal)
    .until(signal);
  try {
    for (;;) {
      // Read before the log: what comes after it is not stored later.
      const isDone = ended.signal.aborted;
      log = log ? await store.logs.find(log.id) : await store.logs.findByCommand(command);
      if (log && log.length > from) {
        for await (const piece of store.logs.read(log.id, from, log.length)) {
          // A copy: what is sent to the thread would take all of the memory that a view is of with it.
          if (signal.aborted || !(await unlessAborted(feed(Uint8Array.from(piece)), signal))) return;
        }
        from = log.length;
      }
      if (isDone || signal.aborted) return;
      await wake.next();
    }
  } finally {
    wake.close();
  }
}

/** To false when it is aborted before. */
async function unlessAborted(taken: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const aborted = deferred<boolean>();
  const abort = (): void => aborted.resolve(false);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([taken, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
