import { MASK_WINDOW_BYTES, maskTexts } from './mask-forms.ts';
import { SHORTEST_SECRET_BYTES } from './secret.ts';
import { TextRange } from './text-range.ts';

/** What stands for a masked byte. Line breaks stay, so that lines keep their numbers. */
const STAR = 0x2a;
const KEPT: readonly number[] = [0x0a, 0x0d];
/** Where an output was cut so much of a secret is masked, too; less tells too little. */
const PART_BYTES = 4;
/** The first bytes of a text by which it is looked for. */
const KEY_BYTES = 4;
/** With a table of so many bits for each text one in 256 other keys is looked up in vain. */
const BITS_PER_TEXT = 256;
const LEAST_BITS_LOG2 = 16;
const MOST_BITS_LOG2 = 23;
/** Fibonacci hashing: 2^32 divided by the golden ratio. */
const SPREAD = 0x9e3779b1;

export interface Ends {
  /** There was more before it that is not known: what it begins with may be the end of a secret. */
  readonly isCutBefore?: boolean;
  /** More may follow; otherwise it ends here, maybe in the middle of a secret. */
  readonly isOpen?: boolean;
}

/** Bytes of an output that may be shown. */
export interface Masked {
  /** As long as what was given. */
  readonly bytes: Uint8Array;
  /** So many of them are as they will be, whatever follows; what comes after is to be asked for again with more behind it. */
  readonly settled: number;
}

/**
 * Replaces secrets by stars, a star a byte. Whether a byte is masked depends on `overlapBytes` before and behind it alone: an
 * output is masked the same in whatever pieces it comes, also when a piece is asked for again.
 */
export class Masker {
  /** So much before and behind a byte decides about it; 0: there is nothing to mask. */
  readonly overlapBytes: number;
  readonly #texts: TextRange;
  /** By length, the longest first. */
  readonly #byLength: readonly (readonly [number, ReadonlySet<string>])[];
  readonly #table: Uint32Array;
  readonly #shift: number;

  constructor(secrets: Iterable<Uint8Array>) {
    const texts = maskTexts(secrets);
    const byLength = new Map<number, Set<string>>();
    for (const text of texts) byLength.set(text.length, (byLength.get(text.length) ?? new Set()).add(text));
    this.#texts = new TextRange(texts);
    this.#byLength = [...byLength].sort(([a], [b]) => b - a);
    this.overlapBytes = Math.max(0, (this.#byLength[0]?.[0] ?? 0) - 1);
    const bitsLog2 = Math.ceil(Math.log2(Math.max(1, texts.length * BITS_PER_TEXT)));
    this.#shift = 32 - Math.min(MOST_BITS_LOG2, Math.max(LEAST_BITS_LOG2, bitsLog2));
    this.#table = new Uint32Array(2 ** (32 - this.#shift) / 32);
    for (const text of texts) {
      const slot = Math.imul(Buffer.from(text, 'latin1').readInt32BE(0), SPREAD) >>> this.#shift;
      this.#table[slot >>> 5] = (this.#table[slot >>> 5] ?? 0) | (1 << (slot & 31));
    }
  }

  get isEmpty(): boolean {
    return this.#byLength.length === 0;
  }

  /** Masks a piece, with `overlapBytes` of context on both sides where there are so many. What was given is not changed. */
  mask(given: Uint8Array, { isCutBefore = false, isOpen = false }: Ends = {}): Masked {
    if (this.isEmpty) return { bytes: given, settled: given.byteLength };
    const bytes = Buffer.from(given);
    const raw = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
    if (isCutBefore) this.#cover(bytes, 0, this.#endOfPart(raw));
    const last = this.#coverAll(raw, bytes);
    const open = this.#startOfPart(raw, isOpen ? 1 : PART_BYTES);
    if (!isOpen) this.#cover(bytes, open, raw.length);
    const isCovered = open >= last.from && open <= last.to;
    return { bytes, settled: !isOpen ? raw.length : isCovered ? last.to : open };
  }

  /** Of a whole text, say for a person. */
  text(text: string): string {
    if (this.isEmpty) return text;
    const raw = Buffer.from(text, 'utf8');
    if (raw.length < SHORTEST_SECRET_BYTES) return text;
    const masked = Buffer.from(raw);
    return this.#coverAll(raw, masked).to > 0 ? masked.toString('utf8') : text;
  }

  /** Covers each text that is found; returns the last stretch that was covered. */
  #coverAll(raw: Buffer, out: Buffer): { readonly from: number; readonly to: number } {
    const table = this.#table;
    const shift = this.#shift;
    let from = -1;
    let to = -1;
    let key = 0;
    for (let at = 0; at < raw.length; at++) {
      key = (key << 8) | (raw[at] ?? 0);
      const slot = Math.imul(key, SPREAD) >>> shift;
      if ((((table[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 0) continue;
      const start = at - (KEY_BYTES - 1);
      const end = start < 0 ? 0 : this.#endOfText(raw, start);
      if (end <= to || end === 0) continue;
      this.#cover(out, Math.max(start, to), end);
      if (start > to) from = start;
      to = end;
    }
    return { from, to };
  }

  /** Where the longest text that begins at `start` ends; 0: none does. */
  #endOfText(raw: Buffer, start: number): number {
    for (const [length, texts] of this.#byLength) {
      if (start + length <= raw.length && texts.has(raw.toString('latin1', start, start + length)))
        return start + length;
    }
    return 0;
  }

  /** Where the end begins that may be the begin of a text, of at least so many bytes. */
  #startOfPart(raw: Buffer, leastBytes: number): number {
    const tail = raw.toString('latin1', Math.max(0, raw.length - this.overlapBytes));
    for (let length = tail.length; length >= leastBytes; length--) {
      if (this.#texts.hasLonger(tail.slice(tail.length - length))) return raw.length - length;
    }
    return raw.length;
  }

  /** Where the begin ends that may be the end of a text. */
  #endOfPart(raw: Buffer): number {
    const head = raw.toString('latin1', 0, Math.min(raw.length, MASK_WINDOW_BYTES));
    for (let length = Math.min(head.length, this.overlapBytes); length >= PART_BYTES; length--) {
      if (this.#texts.hasLongerEndingWith(head.slice(0, length))) return length;
    }
    return 0;
  }

  #cover(out: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at++) if (!KEPT.includes(out[at] ?? 0)) out[at] = STAR;
  }
}
