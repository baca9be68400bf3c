/**
 * Cuts a stream at a byte. What is longer than `maxBytes` between two of them is cut there, and the rest of it left out, so that
 * nobody's output fills the memory.
 */
export class Splitter {
  readonly #at: number;
  readonly #maxBytes: number;
  readonly #onPiece: (text: string) => void;
  #kept: Buffer[] = [];
  #bytes = 0;

  constructor(at: number, maxBytes: number, onPiece: (text: string) => void) {
    this.#at = at;
    this.#maxBytes = maxBytes;
    this.#onPiece = onPiece;
  }

  add(bytes: Buffer): void {
    let from = 0;
    for (let to = bytes.indexOf(this.#at); to !== -1; to = bytes.indexOf(this.#at, from)) {
      this.#keep(bytes.subarray(from, to));
      this.#tell();
      from = to + 1;
    }
    this.#keep(bytes.subarray(from));
  }

  /** What is left after the last one. */
  end(): void {
    if (this.#bytes > 0) this.#tell();
  }

  #keep(bytes: Buffer): void {
    const room = this.#maxBytes - this.#bytes;
    if (room <= 0 || bytes.length === 0) return;
    const kept = bytes.subarray(0, room);
    this.#kept.push(kept);
    this.#bytes += kept.length;
  }

  #tell(): void {
    const text = Buffer.concat(this.#kept).toString();
    this.#kept = [];
    this.#bytes = 0;
    this.#onPiece(text);
  }
}
