import type { Clock } from '../../base/clock.ts';
import type { WorkerSight } from '../../model/trouble.ts';
import { isHeld } from '../../model/worker.ts';
import type { WorkerRecord } from '../../model/worker.ts';

interface Moment {
  readonly of: number | boolean;
  readonly atMonotonicMs: number;
}

/**
 * Measures what rows can only date: the wall clock is asked when a date is seen first, and from then on the time that has passed
 * is measured. So a step of that clock makes nobody missing.
 */
export class WorkerSights {
  readonly #clock: Clock;
  readonly #openedAtMs: number;
  readonly #away = new Map<string, Moment>();
  readonly #room = new Map<string, Moment>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#openedAtMs = clock.monotonic();
  }

  /** `full`: as `fullText` says. */
  see(
    name: string,
    record: WorkerRecord | undefined,
    now: {
      readonly isConfigured: boolean;
      readonly isHere: boolean;
      readonly full: string | undefined;
      readonly connectedAgoMs: readonly number[];
    },
  ): WorkerSight {
    const { isConfigured, isHere, full, connectedAgoMs } = now;
    const isFull = isHere && full !== undefined ? full !== '' : undefined;
    const awayMs = this.#since(this.#away, name, isHere ? undefined : record?.sinceMs, (sinceMs) =>
      Math.max(0, this.#clock.now() - Number(sinceMs)),
    );
    const roomMs = this.#since(this.#room, name, isFull, () => 0);
    return {
      isConfigured,
      isHere,
      isHeld: record !== undefined && isHeld(record),
      masterUpMs: this.#clock.monotonic() - this.#openedAtMs,
      connectedAgoMs,
      ...(awayMs !== undefined && { awayMs }),
      ...(isFull !== undefined && roomMs !== undefined && { room: { isFull, forMs: roomMs } }),
    };
  }

  /** What was seen of others is forgotten. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const moments of [this.#away, this.#room]) {
      for (const name of moments.keys()) if (!names.has(name)) moments.delete(name);
    }
  }

  /** For how long it has been `of`; undefined when it is nothing. */
  #since(
    moments: Map<string, Moment>,
    name: string,
    of: number | boolean | undefined,
    agoMs: (of: number | boolean) => number,
  ): number | undefined {
    if (of === undefined) {
      moments.delete(name);
      return undefined;
    }
    const nowMs = this.#clock.monotonic();
    const known = moments.get(name);
    if (known?.of === of) return nowMs - known.atMonotonicMs;
    const passedMs = agoMs(of);
    moments.set(name, { of, atMonotonicMs: nowMs - passedMs });
    return passedMs;
  }
}
