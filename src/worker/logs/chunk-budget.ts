import { LIMITS, MiB } from '../../protocol/limits.ts';

/** Chunks that were cut and are not yet with the link, of all sessions together: 16 MiB before compression. */
const MAX_CHUNKS = (16 * MiB) / LIMITS.chunkBytes;

/** Bounds the memory that all logs of a worker take while they are sent; who waits is served in order. */
export class ChunkBudget {
  #left: number;
  readonly #waiting: (() => void)[] = [];

  constructor(chunks: number = MAX_CHUNKS) {
    this.#left = chunks;
  }

  /** Takes room for one chunk if there is some now. */
  tryTake(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** Waits for room for one chunk. */
  async take(): Promise<void> {
    if (this.tryTake()) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#left++;
  }
}
