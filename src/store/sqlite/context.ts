import type { BatchWriter } from './batch-writer.ts';
import type { Connection } from './connection.ts';

/** What every noun works with: reads see committed rows only. */
export interface Context {
  readonly reader: Connection;
  readonly writer: BatchWriter;
}
