import type { Log } from '../../model/log.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { LogStore } from '../../store/store.ts';

/** More of an output than this is not handed to a step's function, however much it asks for. */
const CAPTURE_MAX_BYTES = 1024 * 1024;

/**
 * The last bytes of a stored log before a mark of so many, as text; a character that the cut halved is left out. Of a log with a
 * limit it gives no more than the tail.
 */
export async function readTail(logs: LogStore, logId: number, wantedBytes: number, markBytes = 0): Promise<string> {
  const length = Math.max(0, ((await logs.find(logId))?.length ?? 0) - markBytes);
  // What the log says in place of bytes that are not there is no output.
  const wholeFrom = Math.min(length, await logs.wholeFrom(logId));
  const from = Math.max(wholeFrom, length - Math.min(wantedBytes, CAPTURE_MAX_BYTES));
  const pieces: Uint8Array[] = [];
  for await (const piece of logs.read(logId, from, length)) pieces.push(Uint8Array.from(piece));
  const bytes = Buffer.concat(pieces);
  let start = 0;
  if (from > 0) while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.toString('utf8', start);
}

const LINE_MAX_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Writes a text of ours into an empty log and closes it, as for a command that never started: its log says why. */
export async function writeLine(logs: LogStore, logId: number, text: string, atMs: number): Promise<void> {
  const log = await logs.find(logId);
  // A master that ended right after this wrote it already.
  if (!log || log.length > 0 || log.isComplete) return;
  await appendText(logs, log, `${text.slice(0, LINE_MAX_BYTES)}\n`, atMs);
  await logs.complete(logId, atMs);
}

/** Writes what a log does not have yet of a text. */
export async function appendText(
  logs: LogStore,
  { id, length }: Pick<Log, 'id' | 'length'>,
  text: string,
  atMs: number,
): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  for (let offset = length; offset < bytes.length; offset += LIMITS.chunkBytes) {
    const body = bytes.subarray(offset, offset + LIMITS.chunkBytes);
    const lines = body.reduce((sum, byte) => sum + (byte === NEWLINE ? 1 : 0), 0);
    await logs.append(id, { offset, length: body.length, atMs, lines, codec: 'raw', body });
  }
}
