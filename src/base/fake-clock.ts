import type { Cancel, Clock } from './clock.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that moves only when told; timers fire in the order of their time, then of their making. */
export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #asleepMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#wall = startMs;
  }

  now(): number {
    // A timer may be due between two milliseconds, which no wall clock shows.
    return Math.floor(this.#wall);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sinceBoot(): number {
    return Math.floor(this.#elapsed + this.#asleepMs);
  }

  after(delayMs: number, fn: () => void): Cancel {
    const timer: Timer = { at: this.#elapsed + Math.max(0, delayMs), order: this.#order++, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves both clocks on and fires what falls due, each at its own time. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (let next = this.#nextUntil(end); next !== undefined; next = this.#nextUntil(end)) {
      this.#timers.delete(next);
      this.#moveTo(next.at);
      next.fn();
    }
    this.#moveTo(end);
  }

  /** Steps the wall clock alone, as an administrator or NTP does. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  /** The machine sleeps: no timer runs, yet the time passes. */
  sleep(ms: number): void {
    this.#asleepMs += ms;
    this.#wall += ms;
  }

  #moveTo(elapsed: number): void {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #nextUntil(end: number): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (!best || timer.at < best.at || (timer.at === best.at && timer.order < best.order)) best = timer;
    }
    return best;
  }
}
