export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. */
  readonly firstMs: number;
  /** Upper bound that the delays grow to. */
  readonly maxMs: number;
  /** In [0, 1). For tests; Math.random otherwise. */
  readonly random?: () => number;
}

/**
 * Full jitter: each delay is drawn between 0 and a bound that doubles.
 * See "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015) for why full jitter spreads a herd best.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #boundMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#boundMs = options.firstMs;
  }

  /** The next delay in milliseconds. */
  next(): number {
    const bound = this.#boundMs;
    this.#boundMs = Math.min(this.#options.maxMs, bound * 2);
    return Math.round((this.#options.random ?? Math.random)() * bound);
  }

  /** Call after success: the next delay is short again. */
  reset(): void {
    this.#boundMs = this.#options.firstMs;
  }
}
