import { existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, errorText } from '../../base/errors.ts';
import { LONGEST_SECRET_BYTES, MOST_SECRETS_OF_BUILD } from '../../model/secret.ts';
import { outcome } from '../../protocol/messages.ts';
import { flag, integer, list, object, optional, text } from '../../protocol/schema.ts';
import type { Checked, Checker } from '../../protocol/schema.ts';

/**
 * The files of a command, in `spool/COMMAND/`. The folder is made under another name and renamed with its claim inside,
 * so that the rename is the claim: no folder, never started.
 *
 * claim.json     what was asked for, and by which keeper; never changed
 * fence.json     the fence, if it was raised since
 * lease.json     the lease, if it was changed since
 * process.json   the main process
 * end.json       the order to end it, should the keeper not be within reach of its socket
 * exit.json      how the main process ended, while its output is still being read
 * masks.json     secrets that are not to be shown of its output, if there are any; beside the claim from the begin, never changed
 * outcome.json   the end: nothing changes after it but what is deleted
 * out.000000 …   output, each file of `segmentBytes` but the last; with a `cap` some in the middle are deleted
 */
export const FILES = {
  claim: 'claim.json',
  masks: 'masks.json',
  fence: 'fence.json',
  lease: 'lease.json',
  process: 'process.json',
  end: 'end.json',
  exit: 'exit.json',
  outcome: 'outcome.json',
} as const;

/** Of the system. */
const MOST_PATH = 4_096;

const identity = object({ pid: integer(), startTicks: integer(), bootId: text(100) });

export const claimFile = object({
  command: text(200),
  session: text(200),
  fence: integer(),
  keeper: identity,
  segmentBytes: integer(1),
  /** A log with a limit: the head, which is whole segments, and the tail. */
  cap: optional(object({ headBytes: integer(), tailBytes: integer() })),
  /** The command's own cgroup, as a path of the machine. */
  cgroup: optional(text(4_096)),
  atMs: integer(),
  leaseMs: optional(integer(1)),
  /** The session's. Claims of version 1 have none. */
  folder: optional(text(MOST_PATH)),
});
export type Claim = Checked<typeof claimFile>;
/** In a claim that was made anew, as the disk had lost it. */
export const LOST_KEEPER: Claim['keeper'] = { pid: 0, startTicks: 0, bootId: 'lost' };

/** Base64 of each. */
export const masksFile = object({ masks: list(text(2 * LONGEST_SECRET_BYTES), MOST_SECRETS_OF_BUILD) });
export const fenceFile = object({ fence: integer() });
export const processFile = object({ process: identity, startedAtMs: integer(), pipe: optional(text(100)) });
export const endFile = object({ isForgotten: flag, reason: optional(text(1_000)) });
export const exitFile = object({
  exitCode: optional(integer(0, 255)),
  signal: optional(text(16)),
  startedAtMs: integer(),
  endedAtMs: integer(),
});
/** So many processes that could not be ended are remembered. */
export const MOST_LEFT = 1_000;
export const outcomeFile = object({ outcome, outputEnd: integer(), left: optional(list(identity, MOST_LEFT)) });

class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
}

/** A file's checked content; undefined when there is no such file. */
export function readRecord<T>(dir: string, name: string, checker: Checker<T>): T | undefined {
  let content: string;
  try {
    content = readFileSync(join(dir, name), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return checker(JSON.parse(content), '');
  } catch (error) {
    throw new DamagedRecord(`${join(dir, name)} cannot be read: ${errorText(error)}`, { cause: error });
  }
}

/** Of a file that is written without being made durable: one that the machine's end has damaged counts as not there. */
export function readLooseRecord<T>(dir: string, name: string, checker: Checker<T>): T | undefined {
  try {
    return readRecord(dir, name, checker);
  } catch (error) {
    if (error instanceof DamagedRecord) return undefined;
    throw error;
  }
}

/** Whole or not at all for whoever reads it, but not durable: it goes to the page cache, which needs no other thread. */
export function writeLooseRecord(dir: string, name: string, record: object): void {
  writeFileSync(join(dir, `${name}.new`), JSON.stringify(record), { mode: 0o600 });
  renameSync(join(dir, `${name}.new`), join(dir, name));
}

export function segmentName(index: number): string {
  return `out.${String(index).padStart(6, '0')}`;
}

interface OutputRange {
  readonly start: number;
  readonly end: number;
  /** Of a log that went beyond its head: what is on disk is [start, head) and [heldFrom, end). */
  readonly heldFrom?: number;
  readonly heldBytes: number;
}

/** The output on disk: [start, end), ending at the first segment that is missing or short (the machine lost its power). */
export function outputRange(dir: string, layout: Pick<Claim, 'segmentBytes' | 'cap'>): OutputRange {
  const { segmentBytes, cap } = layout;
  const indexes = segmentIndexes(dir);
  const [first] = indexes;
  if (first === undefined) return { start: 0, end: 0, heldBytes: 0 };
  const headBytes = cap?.headBytes ?? Infinity;
  const ring = indexes.find((index) => index * segmentBytes >= headBytes);
  const start = Math.min(first * segmentBytes, headBytes);
  const headEnd = first === ring ? headBytes : endOfRun(dir, segmentBytes, first, headBytes);
  if (ring === undefined || headEnd < headBytes) return { start, end: headEnd, heldBytes: headEnd - start };
  const end = endOfRun(dir, segmentBytes, ring, Infinity);
  // The ring turned while it was measured: what was deleted looked like the end.
  if (!existsSync(join(dir, segmentName(ring)))) return outputRange(dir, layout);
  const heldFrom = ring * segmentBytes;
  return { start, end, heldFrom, heldBytes: headEnd - start + end - heldFrom };
}

/** Where the segments from `index` on end, or `bound` when they go so far. */
function endOfRun(dir: string, segmentBytes: number, index: number, bound: number): number {
  for (let at = index; at * segmentBytes < bound; at++) {
    const size = statSync(join(dir, segmentName(at)), { throwIfNoEntry: false })?.size ?? 0;
    if (size < segmentBytes) return at * segmentBytes + size;
  }
  return bound;
}

export function segmentIndexes(dir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (error) {
    // Forgotten in the meantime.
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
  const indexes: number[] = [];
  for (const name of names) {
    const digits = /^out\.(\d+)$/.exec(name)?.[1];
    if (digits !== undefined) indexes.push(Number(digits));
  }
  return indexes.sort((a, b) => a - b);
}

/** Commands of a spool: names with a leading dot are the keepers' own. */
export function listCommands(spoolDir: string): string[] {
  return readdirSync(spoolDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name);
}
