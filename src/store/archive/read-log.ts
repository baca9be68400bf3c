import type { FileHandle } from 'node:fs/promises';
import type { LogChunk } from '../../model/log.ts';
import type { Connection } from '../sqlite/connection.ts';
import { StoreError } from '../store.ts';
import type { ArchiveFolder } from './archive-folder.ts';
import { inflate, inflateCut } from './gzip.ts';
import { holeLine } from './hole-line.ts';

/** Both begin with what covers the offset, if anything does. */
const CHUNKS = `SELECT offset, length, codec, body FROM log_chunks WHERE log_id = ?1 AND offset < ?3 AND offset >= coalesce(
    (SELECT max(offset) FROM log_chunks WHERE log_id = ?1 AND offset <= ?2), ?2)
  ORDER BY offset LIMIT 8`;
const EXTENTS = `SELECT offset, length, codec, file_offset AS fileOffset, file_length AS fileLength FROM log_extents
  WHERE log_id = ?1 AND offset < ?3 AND offset >= coalesce(
    (SELECT max(offset) FROM log_extents WHERE log_id = ?1 AND offset <= ?2), ?2)
  ORDER BY offset LIMIT 64`;

type Chunk = Pick<LogChunk, 'offset' | 'length' | 'codec' | 'body'>;
interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly codec: 'gzip' | 'hole' | 'cut';
  readonly fileOffset: number;
  readonly fileLength: number;
}
interface Span {
  readonly offset: number;
  readonly length: number;
  readonly codec: LogChunk['codec'];
}

/** [from, to), which must be stored. Holds one member at a time, and the log's file while it reads from it. */
export async function* readLog(
  reader: Connection,
  archive: ArchiveFolder,
  logId: number,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array, void> {
  let file: FileHandle | undefined;
  try {
    for (let at = from; at < to;) {
      // Rows first: sealing moves them from there to the archive, never back, so what is in neither was never stored.
      const chunks = covering(await reader.all<Chunk>(CHUNKS, logId, at, to), at);
      for (const chunk of chunks) {
        const bytes = chunk.codec === 'gzip' ? await inflate(chunk.body, chunk.length) : chunk.body;
        yield piece(chunk, bytes, at, to);
        at = Math.min(to, chunk.offset + chunk.length);
      }
      if (chunks.length > 0) continue;
      const extents = covering(await reader.all<Extent>(EXTENTS, logId, at, to), at);
      for (const extent of extents) {
        file ??= await archive.open(logId);
        const bytes = await extentBytes(archive, file, logId, extent);
        yield piece(extent, bytes, at, to);
        at = Math.min(to, extent.offset + extent.length);
      }
      if (extents.length === 0) {
        throw new StoreError('damaged', `log ${logId} lacks its bytes from ${at} on: restore a backup`);
      }
    }
  } finally {
    await file?.close();
  }
}

/** The run without a gap that begins at `at`. */
function covering<T extends Span>(spans: readonly T[], at: number): readonly T[] {
  const run: T[] = [];
  let end = at;
  for (const span of spans) {
    if (span.offset > end || span.offset + span.length <= end) break;
    run.push(span);
    end = span.offset + span.length;
  }
  return run;
}

async function extentBytes(
  archive: ArchiveFolder,
  file: FileHandle,
  logId: number,
  { codec, offset, length, fileOffset, fileLength }: Extent,
): Promise<Uint8Array> {
  if (codec === 'hole') return new Uint8Array();
  const body = await archive.read(file, logId, fileOffset, fileLength);
  try {
    return codec === 'cut' ? await inflateCut(body) : await inflate(body, length);
  } catch (error) {
    const where = `${archive.path(logId)} at byte ${fileOffset}`;
    throw new StoreError('damaged', `the log file ${where} is damaged (log bytes from ${offset}): restore it`, {
      cause: error,
    });
  }
}

/** Of a hole the range is told, of a cut its text in whole, however little of it is asked for. */
function piece({ offset, length, codec }: Span, bytes: Uint8Array, at: number, to: number): Uint8Array {
  const end = Math.min(to, offset + length);
  if (codec === 'hole') return holeLine(end - at);
  return codec === 'cut' ? bytes : bytes.subarray(at - offset, end - offset);
}
