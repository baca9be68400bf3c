import type { Cancel, Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { LogChunk } from '../../model/log.ts';
import type { Context } from '../sqlite/context.ts';
import type { ArchiveFolder } from './archive-folder.ts';
import { StoreError } from '../store.ts';
import { toMembers } from './members.ts';
import type { Member } from './members.ts';

/** So many bytes of one log in rows are sealed at once, and so many in one go. */
const SEAL_BYTES = 8 * 1024 * 1024;
const SEAL_ROWS = 1_000;
/** A complete log from this size on is sealed at once; a short one waits for the round, so that short steps stay quick. */
const SOON_BYTES = 64 * 1024;
const ROUND_MS = 60_000;
/** Rows of all logs together: beyond this, appending waits for the sealer. */
const BACKLOG_BYTES = 256 * 1024 * 1024;
/** Free pages that are kept for the next rows; more are given back to the file system, so many at a time. */
const KEPT_PAGES = 4_096;
const VACUUM_PAGES = 500;

/** Without those of a check, of which nothing is kept. */
const UNSEALED = `SELECT DISTINCT log_id AS logId FROM log_chunks
  WHERE EXISTS (SELECT 1 FROM logs WHERE logs.id = log_id AND step >= 0)`;
const PLACE = 'SELECT length, sealed_length AS sealedLength, file_length AS fileLength FROM logs WHERE id = ?';
const ROWS = `SELECT offset, length, lines, at_ms AS atMs, codec, body FROM log_chunks WHERE log_id = ?1 AND offset <= (
    SELECT max(offset) FROM (
      SELECT offset, size, sum(size) OVER (ORDER BY offset) AS total FROM (
        SELECT offset, size FROM log_chunks WHERE log_id = ?1 ORDER BY offset LIMIT ${SEAL_ROWS}))
    WHERE total - size < ${SEAL_BYTES})
  ORDER BY offset`;
const ADVANCE = `UPDATE logs SET sealed_length = ?, file_length = ? WHERE id = ? AND sealed_length = ? AND file_length = ?`;
const ADD_EXTENT = `INSERT INTO log_extents (log_id, offset, length, lines, at_ms, codec, file_offset, file_length)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const DROP_ROWS = 'DELETE FROM log_chunks WHERE log_id = ? AND offset < ?';
const FREE_PAGES = 'PRAGMA freelist_count';
const VACUUM = `PRAGMA incremental_vacuum(${VACUUM_PAGES})`;

interface Place {
  readonly length: number;
  readonly sealedLength: number;
  readonly fileLength: number;
}

/**
 * Moves chunk rows into the archive: append to the log's file, fdatasync, then one transaction that points at the new members
 * and deletes the rows. A crash before the commit leaves bytes after `file_length`, which the next append cuts off; after it,
 * nothing. One log at a time; what fails is told in the log and tried again in the next round, its rows stay.
 */
export class Sealer {
  readonly #context: Context;
  readonly #archive: ArchiveFolder;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #unsealed = new Map<number, number>();
  #unsealedBytes = 0;
  readonly #due = new Set<number>();
  #sealing: Promise<void> | undefined;
  #room: Deferred<void> | undefined;
  /** Logs that could not be sealed: left alone until the next round, so that neither the log nor the disk is flooded. */
  readonly #failed = new Set<number>();
  #isClosed = false;
  #cancelRound: Cancel;
  #round: Promise<void> = Promise.resolve();

  constructor(context: Context, archive: ArchiveFolder, logger: Logger, clock: Clock) {
    this.#context = context;
    this.#archive = archive;
    this.#logger = logger;
    this.#clock = clock;
    this.#cancelRound = this.#planRound();
  }

  /** Call for each committed chunk. */
  appended(logId: number, bytes: number): void {
    if (this.#failed.has(logId)) return;
    const sum = (this.#unsealed.get(logId) ?? 0) + bytes;
    this.#unsealed.set(logId, sum);
    this.#unsealedBytes += bytes;
    if (sum >= SEAL_BYTES || this.#unsealedBytes >= BACKLOG_BYTES) this.#seal(logId);
  }

  completed(logId: number): void {
    if ((this.#unsealed.get(logId) ?? 0) >= SOON_BYTES) this.#seal(logId);
  }

  /** Their rows are gone from the database. */
  dropped(logIds: readonly number[]): void {
    for (const logId of logIds) {
      this.#due.delete(logId);
      this.#forget(logId, Infinity);
    }
    this.#giveRoom();
  }

  /** Resolves when more rows are welcome. Logs that cannot be sealed don't count: better a large database than lost logs. */
  async room(): Promise<void> {
    while (this.#unsealedBytes >= BACKLOG_BYTES && !this.#isClosed) {
      for (const logId of this.#unsealed.keys()) this.#due.add(logId);
      this.#start();
      this.#room ??= deferred();
      await this.#room.promise;
    }
  }

  /** Waits for the piece in progress only: the rest is in rows, and the next start finds it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRound();
    this.#due.clear();
    this.#giveRoom();
    await this.#round;
    await this.#sealing;
  }

  #planRound(): Cancel {
    return this.#clock.after(ROUND_MS, () => {
      this.#round = this.#sealAll()
        .catch((error: unknown) => {
          this.#logger.error('looking for logs to seal failed', { error: errorText(error) });
        })
        .then(() => {
          if (!this.#isClosed) this.#cancelRound = this.#planRound();
        });
    });
  }

  /** The rows say what waits, also what an earlier process left. */
  async #sealAll(): Promise<void> {
    const logs = await this.#context.reader.all<{ logId: number }>(UNSEALED);
    if (this.#isClosed) return;
    this.#failed.clear();
    for (const { logId } of logs) this.#due.add(logId);
    this.#start();
    await this.#sealing;
    await this.#giveBackPages();
  }

  #seal(logId: number): void {
    if (this.#isClosed) return;
    this.#due.add(logId);
    this.#start();
  }

  #start(): void {
    if (this.#due.size > 0) this.#sealing ??= this.#sealDue();
  }

  async #sealDue(): Promise<void> {
    for (const logId of this.#due) {
      this.#due.delete(logId);
      try {
        await this.#sealLog(logId);
      } catch (error) {
        this.#failed.add(logId);
        this.#forget(logId, Infinity);
        this.#logger.error('sealing a log failed; its rows stay in the database', {
          log: logId,
          error: errorText(error),
        });
      }
      this.#giveRoom();
    }
    this.#sealing = undefined;
  }

  /** What is there now: a log that grows fast must not keep the others waiting. */
  async #sealLog(logId: number): Promise<void> {
    let until: number | undefined;
    while (!this.#isClosed) {
      const place = await this.#context.reader.get<Place>(PLACE, logId);
      until ??= place?.length ?? 0;
      if (!place || place.sealedLength >= until) return;
      const rows = await this.#context.reader.all<LogChunk>(ROWS, logId);
      const members = await toMembers(rows);
      const bodies = members.map((member) => member.body);
      await this.#archive.append(logId, place.fileLength, bodies);
      await this.#repoint(logId, place, members);
      const bytes = rows.reduce((sum, row) => sum + row.body.byteLength, 0);
      this.#forget(logId, bytes);
      this.#giveRoom();
    }
  }

  async #repoint(logId: number, place: Place, members: readonly Member[]): Promise<void> {
    await this.#context.writer.write(async (transaction) => {
      let at = place.fileLength;
      let end = place.sealedLength;
      for (const { offset, length, lines, atMs, codec, body } of members) {
        if (offset !== end) throw new StoreError('damaged', `log ${logId} lacks its bytes from ${end} to ${offset}`);
        await transaction.run(ADD_EXTENT, logId, offset, length, lines, atMs, codec, at, body.byteLength);
        at += body.byteLength;
        end += length;
      }
      const changes = await transaction.run(ADVANCE, end, at, logId, place.sealedLength, place.fileLength);
      if (changes === 0 || end === place.sealedLength) throw new StoreError('damaged', `log ${logId} lacks its rows`);
      await transaction.run(DROP_ROWS, logId, end);
    });
  }

  #forget(logId: number, bytes: number): void {
    const known = this.#unsealed.get(logId) ?? 0;
    const gone = Math.min(known, bytes);
    this.#unsealedBytes -= gone;
    if (gone === known) this.#unsealed.delete(logId);
    else this.#unsealed.set(logId, known - gone);
  }

  #giveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #giveBackPages(): Promise<void> {
    for (let before = Infinity; !this.#isClosed;) {
      const free = (await this.#context.reader.get<{ freelist_count: number }>(FREE_PAGES))?.freelist_count ?? 0;
      if (free <= KEPT_PAGES || free >= before) return;
      before = free;
      await this.#context.writer.write((transaction) => transaction.all(VACUUM));
    }
  }
}
