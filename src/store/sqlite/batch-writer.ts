import { errorCode } from '../../base/errors.ts';
import { StoreError } from '../store.ts';
import type { Aside } from '../store.ts';
import type { Connection, SqlValue } from './connection.ts';

/** What an operation may use: it awaits nothing else, and may be run twice. */
export interface Transaction {
  /** A change; resolves to the number of rows changed. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>;
  all<T>(sql: string, ...values: readonly SqlValue[]): Promise<readonly T[]>;
  get<T>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined>;
  /** A change of one row, with RETURNING. */
  returning<T>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined>;
  /** Has it told after the commit, if this operation is in it. */
  aside(aside: Aside): void;
}

export type Operation<T> = (transaction: Transaction) => Promise<T>;

export interface CommitPoint {
  /** Counts the commits of this store, from 1. */
  readonly n: number;
  readonly phase: 'before' | 'after';
}

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly bytes: number;
  /** Of those that are committed at once; absent: it is alone. */
  readonly group: object | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

type Outcome = { readonly value: unknown; readonly asides: readonly Aside[] } | { readonly error: unknown };

/** So that a small write never waits for more than this before its commit begins. */
const BATCH_OPERATIONS = 256;
const BATCH_BYTES = 8 * 1024 * 1024;

/**
 * The one writer. When idle it starts at once; what comes while a batch is being committed makes the next batch.
 *
 * An operation that fails undoes itself alone. One that failed before it changed a row (a lost claim, a wrong offset: nearly
 * all) has nothing to undo. One that failed after a change rolls the batch back, and the batch is run again with a savepoint
 * for each operation: that costs twice, but seldom, while two more statements per operation would cost always.
 */
export class BatchWriter {
  readonly #connection: Connection;
  readonly #onCommit: ((point: CommitPoint) => void) | undefined;
  readonly #waiting: Waiting[] = [];
  #pumping: Promise<void> | undefined;
  #isClosed = false;
  #commits = 0;
  #changes = 0;
  /** Of the writes that are being begun. */
  #group: object | undefined;
  /** Of the operation under way. */
  #asides: Aside[] = [];
  readonly #listeners = new Set<(aside: Aside) => void>();
  readonly #transaction: Transaction;

  constructor(connection: Connection, onCommit: ((point: CommitPoint) => void) | undefined) {
    this.#connection = connection;
    this.#onCommit = onCommit;
    this.#transaction = {
      run: async (sql, ...values) => this.#counted(await connection.run(sql, ...values)),
      all: (sql, ...values) => connection.all(sql, ...values),
      get: (sql, ...values) => connection.get(sql, ...values),
      returning: async <T>(sql: string, ...values: readonly SqlValue[]) => {
        const rows = await connection.all<T>(sql, ...values);
        this.#counted(rows.length);
        return rows[0];
      },
      aside: (aside) => void this.#asides.push(aside),
    };
  }

  /** Tells what writes changed beside the rows that they were asked for, after the commit. */
  onAside(listener: (aside: Aside) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The writes that `begin` begins, before it awaits anything, are committed at once: no kill comes between them. */
  together<T>(begin: () => T): T {
    const outer = this.#group;
    this.#group = outer ?? {};
    try {
      return begin();
    } finally {
      this.#group = outer;
    }
  }

  /** Resolves after COMMIT. `bytes` is about what it writes, to bound a batch. */
  write<T>(operation: Operation<T>, bytes = 0): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StoreError('closed', 'the store is closed'));
    return new Promise<T>((resolve, reject) => {
      const group = this.#group;
      this.#waiting.push({ operation, bytes, group, resolve: (value) => resolve(value as T), reject });
      this.#pumping ??= Promise.resolve().then(() => this.#pump());
    });
  }

  /** Commits what waits; refuses what comes later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      try {
        const outcomes = await this.#commitBatch(batch);
        settle(batch, outcomes);
        // Whoever made the writes goes first: a build that was claimed is known to run before it is told to stop.
        setImmediate(() => this.#tell(outcomes));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#pumping = undefined;
  }

  #takeBatch(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    let group: object | undefined;
    for (const waiting of this.#waiting) {
      const isFull = count > 0 && (count >= BATCH_OPERATIONS || bytes + waiting.bytes > BATCH_BYTES);
      if (isFull && (group === undefined || waiting.group !== group)) break;
      group = waiting.group;
      count++;
      bytes += waiting.bytes;
    }
    return this.#waiting.splice(0, count);
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<readonly Outcome[]> {
    try {
      await this.#connection.run('BEGIN IMMEDIATE');
      let outcomes = await this.#runPlain(batch);
      if (!outcomes) {
        await this.#connection.run('ROLLBACK');
        await this.#connection.run('BEGIN IMMEDIATE');
        outcomes = await this.#runWithSavepoints(batch);
      }
      const n = ++this.#commits;
      this.#onCommit?.({ n, phase: 'before' });
      await this.#connection.run('COMMIT');
      this.#onCommit?.({ n, phase: 'after' });
      return outcomes;
    } catch (error) {
      // A full disk or the like has rolled back by itself; then there is nothing to roll back, and this says so.
      await this.#connection.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Undefined when an operation failed in the middle of its changes. */
  async #runPlain(batch: readonly Waiting[]): Promise<readonly Outcome[] | undefined> {
    const outcomes: Outcome[] = [];
    for (const { operation } of batch) {
      this.#changes = 0;
      try {
        outcomes.push(await this.#outcomeOf(operation));
      } catch (error) {
        if (isFatal(error)) throw error;
        if (this.#changes > 0) return undefined;
        outcomes.push({ error });
      }
    }
    return outcomes;
  }

  async #runWithSavepoints(batch: readonly Waiting[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { operation } of batch) {
      await this.#connection.run('SAVEPOINT operation');
      try {
        outcomes.push(await this.#outcomeOf(operation));
      } catch (error) {
        if (isFatal(error)) throw error;
        await this.#connection.run('ROLLBACK TO operation');
        outcomes.push({ error });
      }
      await this.#connection.run('RELEASE operation');
    }
    return outcomes;
  }

  async #outcomeOf(operation: Operation<unknown>): Promise<Outcome> {
    this.#asides = [];
    const value = await operation(this.#transaction);
    return { value, asides: this.#asides };
  }

  #tell(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if ('error' in outcome) continue;
      for (const aside of outcome.asides) for (const listener of this.#listeners) listener(aside);
    }
  }

  #counted(changes: number): number {
    this.#changes += changes;
    return changes;
  }
}

/**
 * SQLite itself could not go on (not: an operation refused). It may have ended the transaction: what came after would be
 * committed statement by statement.
 */
function isFatal(error: unknown): boolean {
  if (!(error instanceof StoreError) || (error.code !== 'disk' && error.code !== 'damaged')) return false;
  return errorCode(error.cause)?.startsWith('SQLITE_') === true;
}

function settle(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
  for (const [index, { resolve, reject }] of batch.entries()) {
    const outcome = outcomes[index];
    if (outcome && 'value' in outcome) resolve(outcome.value);
    else reject(outcome?.error);
  }
}
