import { setImmediate as turn } from 'node:timers/promises';
import { LineReader } from './line-reader.ts';

/** A slow observer gives way to others after so long. */
const SLICE_MS = 50;

/** Calls a function of user code for each line of a command's output. */
export class Observer {
  readonly #onLine: (line: string) => void;
  readonly #reader = new LineReader();

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Resolves when all lines of the piece were had, or nobody wants them any more; rejects with what the function throws. */
  async take(bytes: Uint8Array, isWanted: () => boolean): Promise<void> {
    let beganAtMs = performance.now();
    for (const line of this.#reader.add(bytes)) {
      if (!isWanted()) return;
      this.#onLine(line);
      if (performance.now() - beganAtMs < SLICE_MS) continue;
      await turn();
      beganAtMs = performance.now();
    }
  }

  /** All of it was there. */
  end(): void {
    for (const line of this.#reader.end()) this.#onLine(line);
  }
}
