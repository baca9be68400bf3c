import type { Masker } from './mask.ts';

/** Masks an output that comes in pieces. What may become a secret with the next piece is held back until then. */
export class StreamMask {
  readonly #masker: Masker;
  /** The context of what is next, and what was held back. */
  #kept: Uint8Array = new Uint8Array(0);
  /** So much of it was given out. */
  #given = 0;

  constructor(masker: Masker) {
    this.#masker = masker;
  }

  write(piece: Uint8Array): Uint8Array {
    return this.#take(piece, true);
  }

  /** What was held back. */
  end(): Uint8Array {
    return this.#take(new Uint8Array(0), false);
  }

  #take(piece: Uint8Array, isOpen: boolean): Uint8Array {
    const raw = Buffer.concat([this.#kept, piece]);
    const { bytes, settled } = this.#masker.mask(raw, { isOpen });
    // What was given out as settled stays so.
    const out = bytes.slice(this.#given, Math.max(settled, this.#given));
    const end = this.#given + out.length;
    const from = Math.max(0, end - this.#masker.overlapBytes);
    this.#kept = raw.subarray(from);
    this.#given = end - from;
    return out;
  }
}
