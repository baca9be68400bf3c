import { MAX_BUILDS_OF_A_REQUEST } from './build-request.ts';
import type { RetryCause } from './build-request.ts';
import type { Result } from './result.ts';

/** How often a request is tried again for each cause, and after what pause. */
export interface RetryRules extends Readonly<Record<RetryCause, number>> {
  /** Before the first retry; each further pause is twice as long. 0: at once. */
  readonly pauseMs: number;
}

/** Whatever is lost so often is not lost by chance; what ends by itself ends so again, if nobody says otherwise. */
export const RETRY_RULES: RetryRules = { lost: MAX_BUILDS_OF_A_REQUEST - 1, exception: 0, failure: 0, pauseMs: 0 };
export const MOST_RETRIES = 99;
export const LONGEST_PAUSE_MS = 60 * 60_000;

/** The cause for which a build that ended so might be tried again; undefined: there is none. */
export function retryCause(result: Result): RetryCause | undefined {
  if (result === 'retry') return 'lost';
  return result === 'exception' || result === 'failure' ? result : undefined;
}

/** The pause before the next try; undefined: there is none. `retries`: those that the request has had, by cause. */
export function pauseBefore(
  rules: RetryRules,
  cause: RetryCause,
  retries: Readonly<Record<RetryCause, number>>,
): number | undefined {
  if (retries[cause] >= rules[cause]) return undefined;
  const all = retries.lost + retries.exception + retries.failure;
  return Math.min(LONGEST_PAUSE_MS, rules.pauseMs * 2 ** all);
}
