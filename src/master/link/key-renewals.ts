import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { sleep } from '../../base/sleep.ts';

/** What became of a worker's key that was to be another one. */
export type RenewedKey =
  | { readonly outcome: 'rotated'; readonly fingerprint: string }
  /** The worker, or this master, said why not. */
  | { readonly outcome: 'refused'; readonly message: string }
  | { readonly outcome: 'away' | 'too old' | 'no answer' };

/** Those who wait until a worker has come anew with another key, on whatever connection that is. */
export class KeyRenewals {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Deferred<RenewedKey>>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is settled, or `no answer` after `timeoutMs`: it goes on all the same when the worker is back. */
  async settled(worker: string, timeoutMs: number): Promise<RenewedKey> {
    const mine = deferred<RenewedKey>();
    const waiting = this.#waiting.get(worker) ?? new Set();
    this.#waiting.set(worker, waiting.add(mine));
    const over = new AbortController();
    try {
      return (
        (await Promise.race([mine.promise, sleep(this.#clock, timeoutMs, over.signal)])) ?? { outcome: 'no answer' }
      );
    } finally {
      over.abort();
      waiting.delete(mine);
      if (waiting.size === 0 && this.#waiting.get(worker) === waiting) this.#waiting.delete(worker);
    }
  }

  isAwaited(worker: string): boolean {
    return this.#waiting.has(worker);
  }

  tell(worker: string, renewed: RenewedKey): void {
    for (const waiting of this.#waiting.get(worker) ?? []) waiting.resolve(renewed);
  }
}
