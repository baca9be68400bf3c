import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import type { Masker } from '../../model/mask.ts';
import { Maskers } from '../../model/maskers.ts';
import { errorCode } from '../../base/errors.ts';
import {
  claimFile,
  fenceFile,
  FILES,
  listCommands,
  LOST_KEEPER,
  masksFile,
  outcomeFile,
  outputRange,
  processFile,
  readLooseRecord,
  readRecord,
  segmentIndexes,
  segmentName,
} from './command-files.ts';
import type { Claim } from './command-files.ts';
import { Gate } from '../../base/gate.ts';
import { readMasked } from './masked-output.ts';
import type { HeldCommand } from './keeper.ts';
import { readLease, writeLease } from './lease-files.ts';
import { isAlive, signalProcess } from './process-table.ts';
import type { Outcome } from '../../protocol/messages.ts';
import type { End } from './write-outcome.ts';

/** A daemon with a thousand commands is to live with 256 descriptors. */
const FILES_AT_ONCE = 32;

interface Entry {
  readonly claim: Claim;
  fence: number;
  leaseMs: number | undefined;
  finished: End | undefined;
  /** Of a command that was given secrets. */
  readonly masker: Masker | undefined;
  /** As of the last look. */
  bytes: number;
}

/** The daemon's view of the files of all commands. Only one daemon works on a spool. */
export class Spool {
  readonly dir: string;
  readonly #gate = new Gate(FILES_AT_ONCE);
  readonly #maskers = new Maskers();
  /** What never changes is read once. */
  readonly #entries = new Map<string, Entry>();

  constructor(dir: string) {
    this.dir = dir;
  }

  /** The claim of a command that is not finished, or undefined. */
  findUnfinished(command: string): Claim | undefined {
    const entry = this.#load(command);
    return entry && !entry.finished ? entry.claim : undefined;
  }

  listUnfinished(): Claim[] {
    return listCommands(this.dir).flatMap((command) => this.findUnfinished(command) ?? []);
  }

  find(command: string): HeldCommand | undefined {
    const entry = this.#load(command);
    if (!entry) return undefined;
    const { claim, fence, finished } = entry;
    const { cap } = claim;
    const { start, end, heldFrom = cap?.headBytes ?? 0, heldBytes } = outputRange(join(this.dir, command), claim);
    entry.bytes = heldBytes;
    const head = { command, session: claim.session, fence, outputStart: start, outputEnd: end };
    const held = cap ? { ...head, cap: { ...cap, heldFrom } } : head;
    if (!finished) return { ...held, state: 'running' };
    // Files may end earlier than they did if the machine lost its power.
    const outputEnd = Math.min(finished.outputEnd, end);
    return { ...held, state: 'finished', outputEnd, outcome: shown(finished.outcome, entry.masker) };
  }

  folderOf(command: string): string | undefined {
    return this.#load(command)?.claim.folder;
  }

  pidsOf(command: string): number[] {
    const entry = this.#load(command);
    if (!entry) return [];
    const main = entry.finished ? undefined : readLooseRecord(join(this.dir, command), FILES.process, processFile);
    const known = entry.finished ? (entry.finished.left ?? []) : main ? [main.process] : [];
    return known.filter(isAlive).map(({ pid }) => pid);
  }

  list(): HeldCommand[] {
    return listCommands(this.dir).flatMap((command) => this.find(command) ?? []);
  }

  has(command: string): boolean {
    return existsSync(join(this.dir, command));
  }

  /** Claimed, as its folder is there, but no more is known: the disk has lost its claim. */
  isDamaged(command: string): boolean {
    return this.has(command) && !this.#load(command);
  }

  listDamaged(): string[] {
    return listCommands(this.dir).filter((command) => this.isDamaged(command));
  }

  /** Gives a damaged command a claim again, of a keeper that is dead: so it has an end, which is unknown. */
  async mend(
    { command, session, fence }: Pick<Claim, 'command' | 'session' | 'fence'>,
    segmentBytes: number,
    atMs: number,
  ): Promise<void> {
    const claim: Claim = { command, session, fence, keeper: LOST_KEEPER, segmentBytes, atMs };
    await this.#gate.pass(() => writeFileAtomic(join(this.dir, command, FILES.claim), JSON.stringify(claim), 0o600));
  }

  bytes(): number {
    let sum = 0;
    for (const entry of this.#entries.values()) sum += entry.bytes;
    return sum;
  }

  read(command: string, offset: number, maxBytes: number): Promise<Uint8Array> {
    const entry = this.#load(command);
    if (!entry) return Promise.resolve(new Uint8Array(0));
    const read = (from: number, bytes: number): Promise<Uint8Array> =>
      this.#gate.pass(() => this.#read(command, entry.claim.segmentBytes, from, bytes));
    const held = entry.masker && this.find(command);
    return entry.masker && held ? readMasked(read, held, entry.masker, offset, maxBytes) : read(offset, maxBytes);
  }

  async #read(command: string, segmentBytes: number, offset: number, maxBytes: number): Promise<Uint8Array> {
    const index = Math.floor(offset / segmentBytes);
    const within = offset % segmentBytes;
    const dir = join(this.dir, command);
    let file: Awaited<ReturnType<typeof open>>;
    try {
      file = await open(join(dir, segmentName(index)), 'r');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      const [first] = segmentIndexes(dir);
      if (first === undefined || index >= first) return new Uint8Array(0);
      throw new Error(`the output of ${command} below ${first * segmentBytes} is deleted, ${offset} was asked for`, {
        cause: error,
      });
    }
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(maxBytes, segmentBytes - within));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, within);
      // A few bytes are not to hold on to a large buffer.
      return bytesRead > buffer.length / 2 ? buffer.subarray(0, bytesRead) : Buffer.from(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  }

  /** Deletes whole segments below the offset, but the newest: it tells where the output ends. True if there was one. */
  async acknowledge(command: string, stored: number): Promise<boolean> {
    const entry = this.#load(command);
    if (!entry) return false;
    const { segmentBytes } = entry.claim;
    // What comes next is masked by what was before it.
    const offset = stored - (entry.masker?.overlapBytes ?? 0);
    // Known without a look at the disk: no segment was full.
    if (offset < segmentBytes) return false;
    const dir = join(this.dir, command);
    const below = segmentIndexes(dir)
      .slice(0, -1)
      .filter((index) => (index + 1) * segmentBytes <= offset);
    // In order: the output's start is the first segment that is there.
    for (const index of below) await rm(join(dir, segmentName(index)), { force: true });
    entry.bytes = outputRange(dir, entry.claim).heldBytes;
    return below.length > 0;
  }

  async setFence(command: string, fence: number): Promise<void> {
    const entry = this.#load(command);
    if (!entry || entry.fence >= fence) return;
    const path = join(this.dir, command, FILES.fence);
    await this.#gate.pass(() => writeFileAtomic(path, JSON.stringify({ fence })));
    entry.fence = fence;
  }

  setLease(command: string, leaseMs: number | undefined): void {
    const entry = this.#load(command);
    if (!entry || entry.finished || entry.leaseMs === leaseMs) return;
    writeLease(join(this.dir, command), leaseMs);
    entry.leaseMs = leaseMs;
  }

  async orderEnd(command: string, isForgotten: boolean, reason: string): Promise<void> {
    const record = JSON.stringify({ isForgotten, reason: reason.slice(0, 1_000) });
    await this.#gate.pass(() => writeFileAtomic(join(this.dir, command, FILES.end), record));
  }

  /** The folder vanishes at once, its content then. */
  async remove(command: string): Promise<void> {
    const gone = join(this.dir, `.gone-${randomBytes(8).toString('hex')}`);
    try {
      await rename(join(this.dir, command), gone);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    } finally {
      // Not before: a wake-up in between would have it read anew.
      this.#entries.delete(command);
    }
    await this.#gate.pass(() => rm(gone, { recursive: true, force: true }));
  }

  /** Removes what keepers and daemons that are dead left half made or half deleted. Only while no other removes anything. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      if (name.startsWith('.gone-')) await rm(join(this.dir, name), { recursive: true, force: true });
    }
    await this.sweepHalfMade();
  }

  /** Removes what keepers that are dead left half made: a claim that never was one, their pipes. */
  async sweepHalfMade(): Promise<void> {
    for (const name of await readdir(this.dir)) {
      const maker = /^\.(?:new|pipe)-(\d+)/.exec(name)?.[1];
      const isLeft = maker !== undefined && !signalProcess(Number(maker), 0);
      if (isLeft) await rm(join(this.dir, name), { recursive: true, force: true });
    }
  }

  #load(command: string): Entry | undefined {
    const dir = join(this.dir, command);
    const known = this.#entries.get(command);
    // All of them are made durable before they count, but a disk may break its word when the power goes.
    if (known) {
      known.finished ??= readLooseRecord(dir, FILES.outcome, outcomeFile);
      return known;
    }
    const claim = readLooseRecord(dir, FILES.claim, claimFile);
    if (!claim) return undefined;
    const entry: Entry = {
      claim,
      fence: readLooseRecord(dir, FILES.fence, fenceFile)?.fence ?? claim.fence,
      leaseMs: readLease(dir, claim),
      finished: readLooseRecord(dir, FILES.outcome, outcomeFile),
      masker: this.#readMasker(dir),
      bytes: 0,
    };
    this.#entries.set(command, entry);
    return entry;
  }

  /** They are made durable with the claim: a file that cannot be read is no reason to show what it held. */
  #readMasker(dir: string): Masker | undefined {
    const record = readRecord(dir, FILES.masks, masksFile);
    return record && this.#maskers.of(record.masks.map((mask) => Buffer.from(mask, 'base64')));
  }
}

function shown(outcome: Outcome, masker: Masker | undefined): Outcome {
  if (!masker || outcome.message === undefined) return outcome;
  return { ...outcome, message: masker.text(outcome.message) };
}
