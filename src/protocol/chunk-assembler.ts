import type { Fields } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';

/** A chunk of a command's output as it was sent, all of it. */
export interface Chunk extends Head {
  /** Compressed or raw, as `codec` says. A copy. */
  readonly body: Uint8Array;
  /** What its frames took on the wire, to be granted again when it is dealt with. */
  readonly wireBytes: number;
}

type Head = Omit<Fields<'log.append'>, 'position' | 'bytes'>;

interface Begun {
  readonly head: Head;
  /** Copies, so that a chunk takes what came of it and not what it claims to be. */
  readonly pieces: Uint8Array[];
  fillBytes: number;
  wireBytes: number;
}

/** The fields that all frames of a chunk have in common. */
const HEAD = ['command', 'fence', 'offset', 'length', 'atMs', 'lines', 'codec', 'size'] as const;

/**
 * Joins the `log.append` frames of one session's chunks. At most one chunk of a command is under way, and at most `maxBegun`
 * commands; what is held was received, so credit bounds it. A frame with position 0 begins anew, since a
 * sender that was told to go back leaves the chunk it was sending.
 */
export class ChunkAssembler {
  readonly #begun = new Map<string, Begun>();
  readonly #maxBegun: number;

  constructor(maxBegun = 64) {
    this.#maxBegun = maxBegun;
  }

  /**
   * The chunk that this frame completes, if it does. Throws a ProtocolError `unexpected` for a frame that does not continue
   * what came before: frames of a session keep their order, so that is a fault of the sender.
   */
  add(frame: Fields<'log.append'>, wireBytes: number): Chunk | undefined {
    const { position, bytes, ...head } = frame;
    if (position + bytes.byteLength > head.size || bytes.byteLength === 0) {
      unexpected(frame, `${bytes.byteLength} bytes at ${position} of a chunk of ${head.size}`);
    }
    const begun = position === 0 ? this.#begin(head) : this.#continue(frame);
    begun.pieces.push(Uint8Array.from(bytes));
    begun.fillBytes += bytes.byteLength;
    begun.wireBytes += wireBytes;
    if (begun.fillBytes < head.size) return undefined;
    this.#begun.delete(head.command);
    return { ...head, body: joined(begun.pieces), wireBytes: begun.wireBytes };
  }

  /** Forgets what has begun of a command. Returns its wire bytes, which are dealt with now. */
  drop(command: string): number {
    const begun = this.#begun.get(command);
    this.#begun.delete(command);
    return begun?.wireBytes ?? 0;
  }

  /** Bytes of chunks that are not whole yet. */
  get heldBytes(): number {
    let held = 0;
    for (const { fillBytes } of this.#begun.values()) held += fillBytes;
    return held;
  }

  #begin(head: Head): Begun {
    // The frames of a chunk that was left off are dealt with together with the new one.
    const wireBytes = this.drop(head.command);
    if (this.#begun.size >= this.#maxBegun) unexpected(head, `${this.#maxBegun} chunks are under way already`);
    const begun: Begun = { head, pieces: [], fillBytes: 0, wireBytes };
    this.#begun.set(head.command, begun);
    return begun;
  }

  #continue(frame: Fields<'log.append'>): Begun {
    const begun = this.#begun.get(frame.command);
    if (!begun) return unexpected(frame, `position ${frame.position} of a chunk that has not begun`);
    if (begun.fillBytes !== frame.position) {
      return unexpected(frame, `position ${frame.position} after ${begun.fillBytes} bytes`);
    }
    const other = HEAD.find((key) => begun.head[key] !== frame[key]);
    if (other) unexpected(frame, `${other} is not that of the chunk it continues`);
    return begun;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return first && pieces.length === 1 ? first : Buffer.concat(pieces);
}

function unexpected(frame: Head, what: string): never {
  throw new ProtocolError('unexpected', `log.append of ${frame.command} at offset ${frame.offset}: ${what}`);
}
