/** One log of a step. */
export interface Log {
  readonly id: number;
  readonly buildId: number;
  readonly step: number;
  readonly name: string;
  /** The command that fills it. */
  readonly command: string;
  /** Bytes stored, and acknowledged: the log's length so far. */
  readonly length: number;
  readonly lines: number;
  readonly isComplete: boolean;
  /** Its bytes are kept no more since then; length and lines are what it had. */
  readonly deletedAtMs?: number;
}

/**
 * A piece of a log as it came: a gzip member, raw bytes, a hole of lost bytes (no body), or a cut: bytes that were left out on
 * purpose, in whose place a reader sees the body, a text of ours.
 */
export interface LogChunk {
  readonly offset: number;
  readonly length: number;
  readonly atMs: number;
  readonly lines: number;
  readonly codec: 'raw' | 'gzip' | 'hole' | 'cut';
  readonly body: Uint8Array;
}
