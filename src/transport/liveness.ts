import type { Cancel, Clock } from '../base/clock.ts';
import { momentOf } from '../base/moment.ts';
import type { Moment } from '../base/moment.ts';

export interface LivenessOptions {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly deadMs: number;
  readonly ping: (n: number) => void;
  readonly dead: (silentMs: number) => void;
}

/** Looks so often in the time after which a peer is dead. */
const LOOKS = 9;
/** A look that comes later than this shows that our own loop stood still: the peer is not to blame for that time. */
const LAG_MS = 500;
/** Pings whose answers are waited for; a peer that never answers costs no more. */
const MOST_PINGS = 100;

export interface AnsweredPing {
  readonly roundTripMs: number;
  /** When it was queued. */
  readonly sentAt: Moment;
}

/** Pings the peer and calls it dead when no byte at all came for long. */
export class Liveness {
  readonly #options: LivenessOptions;
  #heardAtMs: number;
  #lookedAtMs: number;
  #n = 0;
  /** When each ping was sent that is not answered yet, by its number. */
  readonly #sent = new Map<number, { readonly atMs: number; readonly at: Moment }>();
  #cancelPing: Cancel;
  #cancelLook: Cancel;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonic();
    this.#lookedAtMs = this.#heardAtMs;
    this.#cancelPing = this.#nextPing();
    this.#cancelLook = this.#nextLook();
  }

  /** When a byte came last, by the monotonic clock; later by the time that our own loop stood still. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  heard(): void {
    this.#heardAtMs = this.#options.clock.monotonic();
  }

  pingNow(): void {
    const n = ++this.#n;
    const { clock } = this.#options;
    this.#sent.set(n, { atMs: clock.monotonic(), at: momentOf(clock) });
    this.#sent.delete(n - MOST_PINGS);
    this.#options.ping(n);
  }

  /** Ping `n` was answered; undefined for an answer to nothing. */
  answered(n: number): AnsweredPing | undefined {
    const sent = this.#sent.get(n);
    this.#sent.delete(n);
    return sent && { roundTripMs: this.#options.clock.monotonic() - sent.atMs, sentAt: sent.at };
  }

  stop(): void {
    this.#cancelPing();
    this.#cancelLook();
  }

  #nextPing(): Cancel {
    // Spread, so that a thousand workers that came at once do not ping at once.
    const delayMs = this.#options.heartbeatMs * (0.8 + Math.random() * 0.2);
    return this.#options.clock.after(delayMs, () => {
      this.pingNow();
      this.#cancelPing = this.#nextPing();
    });
  }

  #nextLook(): Cancel {
    const everyMs = this.#options.deadMs / LOOKS;
    return this.#options.clock.after(everyMs, () => {
      const nowMs = this.#options.clock.monotonic();
      const lagMs = nowMs - this.#lookedAtMs - everyMs;
      if (lagMs > LAG_MS) this.#heardAtMs = Math.min(nowMs, this.#heardAtMs + lagMs);
      this.#lookedAtMs = nowMs;
      this.#cancelLook = this.#nextLook();
      const silentMs = nowMs - this.#heardAtMs;
      if (silentMs >= this.#options.deadMs) this.#options.dead(silentMs);
    });
  }
}
