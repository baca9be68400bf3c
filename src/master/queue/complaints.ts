import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';

/** The same complaint is told again after so long, and the latest of each so many things are remembered. */
const AGAIN_MS = 10 * 60_000;
const REMEMBERED = 1_000;

/** What functions of the configuration do wrong goes to the log, but not with each time that they are asked. */
export class Complaints {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #told = new Map<string, { readonly error: string; readonly atMs: number }>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** `what`: `canStartBuild of kate/debian`. */
  tell(what: string, error: string): void {
    const told = this.#told.get(what);
    const atMs = this.#clock.monotonic();
    if (told?.error === error && atMs - told.atMs < AGAIN_MS) return;
    this.#told.delete(what);
    this.#told.set(what, { error, atMs });
    const [oldest] = this.#told.keys();
    if (this.#told.size > REMEMBERED && oldest !== undefined) this.#told.delete(oldest);
    this.#logger.warn(`${what} failed`, { error });
  }
}
