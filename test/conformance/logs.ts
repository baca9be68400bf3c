import { gunzipSync } from 'node:zlib';
import { ChunkAssembler } from '../../src/protocol/chunk-assembler.ts';
import type { Chunk } from '../../src/protocol/chunk-assembler.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import type { Fields, Message } from '../../src/protocol/messages.ts';
import { receiveChunk } from '../../src/protocol/resume.ts';
import { Breach } from './breach.ts';

/** What the master of a case has of one command's output. It outlives the lines. */
export interface Log {
  /** Output, whole; nothing stands in it for a hole. */
  readonly pieces: Buffer[];
  readonly holes: Omit<Fields<'log.hole'>, 'command' | 'fence'>[];
  /** Of the chunks and holes that came, known ones too. */
  readonly offsets: number[];
  readonly fences: number[];
  /** The master has [0, end). */
  end: number;
  wantedAt: number | undefined;
}

interface Answer {
  readonly ack?: number;
  readonly want?: number;
  /** Dealt with. */
  readonly wireBytes: number;
}

const MOST_INFLATED = LIMITS.chunkBytes;

/** Joins, checks and keeps the output of all commands of a case. */
export class Logs {
  readonly #logs = new Map<string, Log>();
  #assemblers = new Map<string, ChunkAssembler>();

  of(command: string): Log {
    const log = this.#logs.get(command) ?? {
      pieces: [],
      holes: [],
      offsets: [],
      fences: [],
      end: 0,
      wantedAt: undefined,
    };
    this.#logs.set(command, log);
    return log;
  }

  bytes(command: string): Buffer {
    return Buffer.concat(this.of(command).pieces);
  }

  /** What came of chunks and is not whole. */
  get begunBytes(): number {
    let bytes = 0;
    for (const assembler of this.#assemblers.values()) bytes += assembler.heldBytes;
    return bytes;
  }

  /** A new connection: what was under way is gone. */
  begin(): void {
    this.#assemblers = new Map();
    for (const log of this.#logs.values()) log.wantedAt = undefined;
  }

  /** Undefined while the chunk is not whole. Throws a ProtocolError when its frames do not fit each other. */
  take(message: Message<'log.append'> | Message<'log.hole'>, wireBytes: number): Answer | undefined {
    const { session, fields } = message;
    const log = this.of(fields.command);
    log.fences.push(fields.fence);
    if (message.type === 'log.hole') {
      const { command: _command, fence: _fence, ...hole } = message.fields;
      return this.#judge(log, hole, wireBytes, () => log.holes.push(hole));
    }
    const assembler = this.#assemblers.get(session) ?? new ChunkAssembler();
    this.#assemblers.set(session, assembler);
    const chunk = assembler.add(message.fields, wireBytes);
    if (!chunk) return undefined;
    return this.#judge(log, chunk, chunk.wireBytes, () => log.pieces.push(inflated(chunk)));
  }

  #judge(
    log: Log,
    piece: { readonly offset: number; readonly length: number },
    wireBytes: number,
    store: () => void,
  ): Answer {
    log.offsets.push(piece.offset);
    const answer = receiveChunk({ storedEnd: log.end, wantedAt: log.wantedAt }, piece);
    if (answer.action === 'ignore') return { wireBytes };
    if (answer.action === 'want') {
      log.wantedAt = answer.offset;
      return { want: answer.offset, wireBytes };
    }
    if (answer.action === 'known') return { ack: answer.ack, wireBytes };
    store();
    log.end = piece.offset + piece.length;
    return { ack: log.end, wireBytes };
  }
}

function inflated(chunk: Chunk): Buffer {
  let bytes: Buffer;
  try {
    bytes =
      chunk.codec === 'gzip' ? gunzipSync(chunk.body, { maxOutputLength: MOST_INFLATED }) : Buffer.from(chunk.body);
  } catch (error) {
    throw new Breach(`came a chunk that is no gzip member (${String(error)})`);
  }
  const at = `of the chunk at ${chunk.offset}`;
  if (bytes.byteLength !== chunk.length) {
    throw new Breach(`came length ${chunk.length} ${at}, expected ${bytes.byteLength}: what it inflates to`);
  }
  const lines = bytes.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
  if (chunk.lines !== lines) throw new Breach(`came lines ${chunk.lines} ${at}, expected ${lines}: its line feeds`);
  return bytes;
}
