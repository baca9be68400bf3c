import { Buffer } from 'node:buffer';
import type { LogChunk } from '../../model/log.ts';
import { deflate, inflate, MEMBER_BYTES } from './gzip.ts';
import { holeLine } from './hole-line.ts';

/** A chunk from this length on is kept as it came; shorter ones are joined, since each member costs a header and a row. */
const KEPT_BYTES = 64 * 1024;

/** One gzip member of the archive. A hole's member says the hole's line, a cut's its text; its length is that of what is not there. */
export interface Member {
  readonly offset: number;
  readonly length: number;
  readonly lines: number;
  readonly atMs: number;
  readonly codec: 'gzip' | 'hole' | 'cut';
  readonly body: Uint8Array;
}

/** Consecutive chunks as members: large ones as they came, runs of small ones joined. */
export async function toMembers(chunks: readonly LogChunk[]): Promise<readonly Member[]> {
  const members: Member[] = [];
  let run: LogChunk[] = [];
  let runBytes = 0;
  const endRun = async (): Promise<void> => {
    if (run.length > 0) members.push(await join(run));
    run = [];
    runBytes = 0;
  };
  for (const chunk of chunks) {
    const isAlone =
      chunk.codec === 'hole' || chunk.codec === 'cut' || (chunk.codec === 'gzip' && chunk.length >= KEPT_BYTES);
    if (isAlone || runBytes + chunk.length > MEMBER_BYTES) await endRun();
    run.push(chunk);
    runBytes += chunk.length;
    if (isAlone) await endRun();
  }
  await endRun();
  return members;
}

async function join(run: readonly LogChunk[]): Promise<Member> {
  const [first] = run;
  if (!first) throw new Error('a run of no chunks');
  const { offset, atMs } = first;
  if (run.length === 1 && first.codec === 'gzip') {
    return { offset, length: first.length, lines: first.lines, atMs, codec: 'gzip', body: first.body };
  }
  if (first.codec === 'hole' || first.codec === 'cut') {
    const { length, lines, codec } = first;
    const body = await deflate(codec === 'hole' ? holeLine(length) : first.body);
    return { offset, length, lines, atMs, codec, body };
  }
  const pieces: Uint8Array[] = [];
  for (const chunk of run) pieces.push(chunk.codec === 'gzip' ? await inflate(chunk.body, chunk.length) : chunk.body);
  const bytes = Buffer.concat(pieces);
  const lines = run.reduce((sum, chunk) => sum + chunk.lines, 0);
  return { offset, length: bytes.byteLength, lines, atMs, codec: 'gzip', body: await deflate(bytes) };
}
