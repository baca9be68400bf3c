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
}

/** A piece of a log as it came: a gzip member, raw bytes, or a hole of lost bytes (no body). */
export interface LogChunk {
  readonly offset: number;
  readonly length: number;
  readonly atMs: number;
  readonly lines: number;
  readonly codec: 'raw' | 'gzip' | 'hole';
  readonly body: Uint8Array;
}
