import { Backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { sleep } from '../../base/sleep.ts';
import { LinkRefused } from '../../transport/link-refused.ts';
import type { Link, LinkEnd } from '../../transport/link.ts';

/** Full jitter between 0 and a bound that grows from the first of these to the second. */
const RETRY = { firstMs: 500, maxMs: 30_000 };
/** The same when a person has to act first. */
const SLOW_RETRY = { firstMs: 2_000, maxMs: 30_000 };
/** The same trouble is told again after so long. */
const TELL_AGAIN_MS = 600_000;
/** So many different troubles are remembered as told. */
const MAX_TOLD = 32;
/** A master may not send us away for longer. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface LinkLoopOptions<L extends Pick<Link, 'peer'>> {
  /** Connects and greets; `tell` is for what failed meanwhile and did not make the whole fail. */
  readonly open: (tell: (failure: unknown) => void) => Promise<L>;
  /** Works with the link; resolves when the link has ended and nothing uses it any more. A good link was of use. */
  readonly serve: (link: L) => Promise<{ readonly end: LinkEnd; readonly wasGood: boolean }>;
  /** Of an error of `open`, or a link's end: true when a person has to act before another try can go well. */
  readonly needsPerson: (why: unknown) => boolean;
  readonly explain: (error: unknown) => string;
  /** Why the last try came to nothing, or the link ended. */
  readonly onWaiting: (waitMs: number, why: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/** Keeps a worker connected: for ever, until `signal`. Resolves then; never rejects. */
export async function keepConnected<L extends Pick<Link, 'peer'>>(options: LinkLoopOptions<L>): Promise<void> {
  const { clock, logger, signal, onWaiting } = options;
  const random = options.random ?? Math.random;
  const soon = new Backoff({ ...RETRY, random });
  const slowly = new Backoff({ ...SLOW_RETRY, random });
  const pace = (why: unknown): Backoff => (options.needsPerson(why) ? slowly : soon);
  /** When each trouble was told; few at a time, as few masters. */
  const told = new Map<string, number>();

  const tell = (error: unknown): void => {
    const text = options.explain(error);
    if (clock.monotonic() - (told.get(text) ?? -Infinity) < TELL_AGAIN_MS) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.set(text, clock.monotonic());
    logger.warn(text);
  };

  while (!signal.aborted) {
    let waitMs: number;
    let why: string;
    try {
      const link = await options.open(tell);
      told.clear();
      const { end, wasGood } = await options.serve(link);
      if (wasGood) {
        soon.reset();
        slowly.reset();
      }
      why = end.message;
      waitMs = retryAfter(end.retryAfterMs, random) ?? pace(end).next();
      if (!signal.aborted) logger.info(`disconnected from ${link.peer}: ${end.message}`, { cause: end.cause });
    } catch (error) {
      if (signal.aborted) return;
      why = options.explain(error);
      tell(error);
      const asked = error instanceof LinkRefused ? retryAfter(error.retryAfterMs, random) : undefined;
      waitMs = asked ?? pace(error).next();
    }
    if (signal.aborted) return;
    onWaiting(waitMs, why);
    await sleep(clock, waitMs, signal);
  }
}

/** Between half of what the master asked for and all of it, so that a herd spreads. */
function retryAfter(askedMs: number | undefined, random: () => number): number | undefined {
  if (askedMs === undefined) return undefined;
  const bound = Math.min(askedMs, MAX_RETRY_AFTER_MS);
  return Math.round(bound / 2 + (random() * bound) / 2);
}
