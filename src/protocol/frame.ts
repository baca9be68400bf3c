import { ProtocolError } from './protocol-error.ts';

/** The length prefix: u32 big-endian, the count of the body's bytes. */
export const FRAME_HEAD_BYTES = 4;
/** What is set aside for a frame of which little came yet; grows as bytes come, so that a claim alone costs nothing. */
const FIRST_BUFFER_BYTES = 4096;

/** A body with its length before it. */
export function frame(body: Uint8Array): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + body.byteLength);
  whole.writeUInt32BE(body.byteLength, 0);
  whole.set(body, FRAME_HEAD_BYTES);
  return whole;
}

/**
 * Cuts a stream of bytes into frame bodies. A length over the limit is refused before any byte of its body is kept. A frame
 * that lies whole in the fed bytes aliases them; one that came in pieces is copied into a buffer of its own, each byte about
 * twice at most however small the pieces are.
 */
export class FrameReader {
  #maxBodyBytes: number;
  readonly #head = new Uint8Array(FRAME_HEAD_BYTES);
  #headFill = 0;
  /** The length of the frame that has begun; -1 between frames. */
  #length = -1;
  #body: Uint8Array = EMPTY;
  #fill = 0;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Holds from the next frame on, also for the rest of what is being fed. */
  set maxBodyBytes(limit: number) {
    this.#maxBodyBytes = limit;
  }

  /** Bytes kept of a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#headFill + this.#fill;
  }

  /**
   * Yields the bodies that are whole with these bytes. Go through all of it: what is left when the loop is broken off is lost,
   * which only suits a link that ends. Throws a ProtocolError `frame-too-long`; the stream cannot be read on after it.
   */
  *feed(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0;
    while (at < bytes.byteLength || this.#length === 0) {
      if (this.#length < 0) {
        at = this.#readHead(bytes, at);
        continue;
      }
      const missing = this.#length - this.#fill;
      if (this.#fill === 0 && bytes.byteLength - at >= missing) {
        this.#length = -1;
        at += missing;
        yield bytes.subarray(at - missing, at);
        continue;
      }
      const take = Math.min(missing, bytes.byteLength - at);
      this.#keep(bytes, at, take);
      at += take;
      if (this.#fill === this.#length) yield this.#take();
    }
  }

  #readHead(bytes: Uint8Array, from: number): number {
    let at = from;
    while (this.#headFill < FRAME_HEAD_BYTES && at < bytes.byteLength) {
      this.#head[this.#headFill++] = bytes[at++] ?? 0;
    }
    if (this.#headFill < FRAME_HEAD_BYTES) return at;
    const length = new DataView(this.#head.buffer).getUint32(0);
    if (length > this.#maxBodyBytes) {
      throw new ProtocolError(
        'frame-too-long',
        `a frame of ${length} bytes is announced; at most ${this.#maxBodyBytes} are allowed here`,
      );
    }
    this.#headFill = 0;
    this.#length = length;
    return at;
  }

  #keep(bytes: Uint8Array, at: number, count: number): void {
    const needed = this.#fill + count;
    if (needed > this.#body.byteLength) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(FIRST_BUFFER_BYTES, needed * 2)));
      grown.set(this.#body.subarray(0, this.#fill));
      this.#body = grown;
    }
    this.#body.set(bytes.subarray(at, at + count), this.#fill);
    this.#fill = needed;
  }

  #take(): Uint8Array {
    const body = this.#body.subarray(0, this.#fill);
    this.#body = EMPTY;
    this.#fill = 0;
    this.#length = -1;
    return body;
  }
}

const EMPTY = new Uint8Array(0);
