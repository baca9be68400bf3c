/** Between two looks. */
export const LOOK_MS = 50;
/** What comes gives new patience, up to so many times as much in all: a program may talk for ever and never say what is due. */
const MOST_FOLD = 4;

/**
 * Tells when something was waited for in vain. It runs out when nothing has come for so long. A machine that stands still costs
 * none of it: between two looks no more counts than they are apart when nothing holds them up.
 */
export class Patience {
  readonly #ms: number;
  readonly #progress: () => number;
  #seen: number;
  #looked = performance.now();
  #spentMs = 0;
  #inAllMs = 0;

  /** `progress` grows with each thing that comes. */
  constructor(ms: number, progress: () => number = () => 0) {
    this.#ms = ms;
    this.#progress = progress;
    this.#seen = progress();
  }

  /** To be asked every `LOOK_MS`. */
  isOver(): boolean {
    const now = performance.now();
    const passedMs = Math.min(now - this.#looked, 2 * LOOK_MS);
    this.#looked = now;
    const progress = this.#progress();
    this.#spentMs = progress === this.#seen ? this.#spentMs + passedMs : 0;
    this.#seen = progress;
    this.#inAllMs += passedMs;
    return this.#spentMs > this.#ms || this.#inAllMs > MOST_FOLD * this.#ms;
  }
}

export const aLook = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
