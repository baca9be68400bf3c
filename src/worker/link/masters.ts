import type { Clock } from '../../base/clock.ts';
import { LinkRefused } from '../../transport/link-refused.ts';
import type { MasterAddress } from '../master-address.ts';

/** A master that failed is left out for so long, doubled with each failure; between half of that and all of it. */
const FIRST_MS = 1_000;
const LONGEST_MS = 600_000;

export interface MastersOptions {
  /** In the order of the worker's file. */
  readonly addresses: readonly MasterAddress[];
  readonly clock: Clock;
  /** True: no other master is asked either. */
  readonly isFinal: (error: unknown) => boolean;
  /** Of two failures, whether this is one that a person has to hear of. */
  readonly needsPerson: (error: unknown) => boolean;
  readonly random?: () => number;
}

/** How a link ended: whether it was of use, and after how long its master wants to be asked again. */
export type Ended = (wasGood: boolean, retryAfterMs?: number) => void;

interface Entry {
  readonly address: MasterAddress;
  failures: number;
  /** By its back-off, and by its own word. */
  notBefore: number;
  askedUntil: number;
}

/**
 * Which master is tried next: the last good one, then the others in order, but none whose time after a failure has not come
 * yet, so that one that hangs does not delay a good one each time. When no time has come, the one whose comes first, if it
 * did not name that time itself.
 */
export class Masters {
  readonly #options: MastersOptions;
  readonly #entries: readonly Entry[];
  #lastGood: Entry | undefined;

  constructor(options: MastersOptions) {
    this.#options = options;
    this.#entries = options.addresses.map((address) => ({
      address,
      failures: 0,
      notBefore: -Infinity,
      askedUntil: -Infinity,
    }));
  }

  /**
   * Tries one after the other; what the first good try gives. Rejects with the most telling failure of this round; `tell`
   * hears of the others.
   */
  async open<T>(
    attempt: (address: MasterAddress, ended: Ended) => Promise<T>,
    tell: (failure: unknown) => void,
  ): Promise<T> {
    const { isFinal, needsPerson } = this.#options;
    let telling: { readonly error: unknown } | undefined;
    for (const entry of this.#inOrder()) {
      try {
        const opened = await attempt(entry.address, (wasGood, retryAfterMs) =>
          this.#ended(entry, wasGood, retryAfterMs),
        );
        this.#lastGood = entry;
        entry.notBefore = -Infinity;
        if (telling) tell(telling.error);
        return opened;
      } catch (error) {
        this.#failed(entry, error);
        if (isFinal(error)) throw error;
        const isTelling = !telling || (needsPerson(error) && !needsPerson(telling.error));
        if (telling) tell(isTelling ? telling.error : error);
        if (isTelling) telling = { error };
      }
    }
    throw telling?.error;
  }

  #ended(entry: Entry, wasGood: boolean, retryAfterMs = 0): void {
    if (!wasGood) {
      this.#failed(entry, undefined);
      return;
    }
    entry.failures = 0;
    entry.askedUntil = this.#options.clock.monotonic() + retryAfterMs;
    entry.notBefore = entry.askedUntil;
  }

  #inOrder(): readonly Entry[] {
    const now = this.#options.clock.monotonic();
    const due = this.#entries.filter(({ notBefore }) => notBefore <= now);
    if (due.length === 0) {
      const willing = this.#entries.filter(({ askedUntil }) => askedUntil <= now);
      const soonest = (willing.length > 0 ? willing : this.#entries).toSorted((a, b) => a.notBefore - b.notBefore);
      return soonest.slice(0, 1);
    }
    return due.toSorted((a, b) => Number(b === this.#lastGood) - Number(a === this.#lastGood));
  }

  #failed(entry: Entry, error: unknown): void {
    const { clock, random = Math.random } = this.#options;
    const bound = Math.min(LONGEST_MS, FIRST_MS * 2 ** entry.failures);
    const asked = error instanceof LinkRefused ? (error.retryAfterMs ?? 0) : 0;
    entry.failures += 1;
    entry.askedUntil = clock.monotonic() + asked;
    entry.notBefore = Math.max(entry.askedUntil, clock.monotonic() + bound / 2 + (random() * bound) / 2);
  }
}
