import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { networkOf } from '../../base/network-of.ts';

export interface GuestLimits {
  /** Of one address at a time. */
  readonly underWay: number;
  /** Of one address, in a minute. */
  readonly requests: number;
  /** The same, of those that were refused: who goes on is not heard any more until the minute is over. */
  readonly refused: number;
}

export const GUEST_LIMITS: GuestLimits = { underWay: 16, requests: 600, refused: 30 };

const MINUTE_MS = 60_000;
const MOST_ADDRESSES = 10_000;

/** One address in its minute. */
interface Guest {
  sinceMs: number;
  underWay: number;
  requests: number;
  refused: number;
  /** The minute's line in the log is written. */
  isTold: boolean;
}

/** Who asks: how much an address may, and one line a minute about what it was refused. */
export class Guests {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: GuestLimits;
  /** In the order of their last request, the oldest first. */
  readonly #guests = new Map<string, Guest>();

  constructor(clock: Clock, logger: Logger, limits: GuestLimits) {
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
  }

  /** One more request; false when it is one too many. `leave` when it is answered, also then. */
  enter(address: string): boolean {
    const guest = this.#guest(address);
    guest.underWay += 1;
    guest.requests += 1;
    const { underWay, requests, refused } = this.#limits;
    return guest.underWay <= underWay && guest.requests <= requests && guest.refused < refused;
  }

  refuse(address: string, why: string, fields: Readonly<Record<string, string>>): void {
    const guest = this.#guest(address);
    guest.refused += 1;
    if (guest.isTold) return;
    guest.isTold = true;
    this.#logger.warn('a webhook was refused; of its address nothing more is told for a minute', {
      address,
      why,
      ...fields,
    });
  }

  leave(address: string): void {
    this.#guest(address).underWay -= 1;
  }

  #guest(address: string): Guest {
    const network = networkOf(address);
    const nowMs = this.#clock.monotonic();
    let guest = this.#guests.get(network);
    this.#guests.delete(network);
    if (!guest || nowMs - guest.sinceMs >= MINUTE_MS) {
      guest = { sinceMs: nowMs, underWay: guest?.underWay ?? 0, requests: 0, refused: 0, isTold: false };
    }
    this.#guests.set(network, guest);
    if (this.#guests.size > MOST_ADDRESSES) this.#forget();
    return guest;
  }

  /** The one that was quiet for longest. One with a request under way comes again when that is over. */
  #forget(): void {
    for (const [network, { underWay }] of this.#guests) {
      if (underWay > 0) continue;
      this.#guests.delete(network);
      return;
    }
  }
}
