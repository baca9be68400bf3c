import { Buffer } from 'node:buffer';
import sqlite3 from 'sqlite3';
import { StoreError } from '../store.ts';
import { storeError } from './store-error.ts';

export type SqlValue = string | number | null | Uint8Array;

/**
 * One connection. Every statement is constant text, prepared once and kept (decision 0005). Rows are always read to the end:
 * a statement left in the middle would hold its snapshot, and the write-ahead log could not be reset.
 */
export class Connection {
  readonly #database: sqlite3.Database;
  readonly #file: string;
  readonly #statements = new Map<string, Promise<sqlite3.Statement>>();

  #isClosed = false;

  private constructor(database: sqlite3.Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  static open(file: string, mode: 'readwrite' | 'readonly', busyTimeoutMs: number): Promise<Connection> {
    const flags = mode === 'readonly' ? sqlite3.OPEN_READONLY : sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE;
    return new Promise((resolve, reject) => {
      const database = new sqlite3.Database(file, flags | sqlite3.OPEN_FULLMUTEX, (error) => {
        if (error) return reject(storeError(error, file));
        database.configure('busyTimeout', busyTimeoutMs);
        resolve(new Connection(database, file));
      });
    });
  }

  /** Resolves to the number of rows changed. */
  async run(sql: string, ...values: readonly SqlValue[]): Promise<number> {
    const statement = await this.#prepared(sql);
    const failure = (error: Error): StoreError => this.#failure(error);
    return new Promise((resolve, reject) => {
      statement.run(values.map(bound), function (error) {
        if (error) reject(failure(error));
        else resolve(this.changes);
      });
    });
  }

  async all<T>(sql: string, ...values: readonly SqlValue[]): Promise<readonly T[]> {
    const statement = await this.#prepared(sql);
    return new Promise((resolve, reject) => {
      statement.all<T>(values.map(bound), (error, rows) => {
        if (error) reject(this.#failure(error));
        else resolve(rows);
      });
    });
  }

  async get<T>(sql: string, ...values: readonly SqlValue[]): Promise<T | undefined> {
    const rows = await this.all<T>(sql, ...values);
    return rows[0];
  }

  /** Finalizes the statements, then closes; the last connection to go folds the write-ahead log into the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const prepared of this.#statements.values()) {
      const statement = await prepared.catch(() => undefined); // A statement that never was prepared holds nothing.
      if (statement) await new Promise<void>((resolve) => statement.finalize(() => resolve()));
    }
    this.#statements.clear();
    await new Promise<void>((resolve, reject) => {
      this.#database.close((error) => (error ? reject(this.#failure(error)) : resolve()));
    });
  }

  #prepared(sql: string): Promise<sqlite3.Statement> {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (this.#isClosed) return Promise.reject(closed());
    const prepared = new Promise<sqlite3.Statement>((resolve, reject) => {
      const statement = this.#database.prepare(sql, (error: Error | null) => {
        if (error) {
          this.#statements.delete(sql);
          reject(this.#failure(error));
        } else resolve(statement);
      });
    });
    this.#statements.set(sql, prepared);
    return prepared;
  }

  /** A statement that was overtaken by the close fails in the driver's own words. */
  #failure(error: unknown): StoreError {
    return this.#isClosed ? closed() : storeError(error, this.#file);
  }
}

function closed(): StoreError {
  return new StoreError('closed', 'the store is closed');
}

/** The driver takes a Buffer for a blob. */
function bound(value: SqlValue): string | number | null | Buffer {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}
