import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BatchWriter } from '../../../src/store/sqlite/batch-writer.ts';
import type { CommitPoint, Transaction } from '../../../src/store/sqlite/batch-writer.ts';
import { Connection } from '../../../src/store/sqlite/connection.ts';

let dir: string;
let connection: Connection;
let commits: CommitPoint[];
let writer: BatchWriter;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-writer-'));
  connection = await Connection.open(join(dir, 'db'), 'readwrite', 5_000);
  await connection.run('PRAGMA foreign_keys = ON');
  await connection.run('CREATE TABLE parents (id INTEGER PRIMARY KEY)');
  await connection.run(
    'CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED)',
  );
  commits = [];
  writer = new BatchWriter(connection, (point) => commits.push(point));
});

afterEach(async () => {
  await connection.close();
  await rm(dir, { recursive: true });
});

const add = (id: number) => (transaction: Transaction) => transaction.run('INSERT INTO parents VALUES (?)', id);
const ids = async () =>
  (await connection.all<{ id: number }>('SELECT id FROM parents ORDER BY id')).map((row) => row.id);

it('commits what comes together in one transaction', async () => {
  await Promise.all([writer.write(add(1)), writer.write(add(2)), writer.write(add(3))]);
  expect(await ids()).toEqual([1, 2, 3]);
  expect(commits).toEqual([
    { n: 1, phase: 'before' },
    { n: 1, phase: 'after' },
  ]);
});

it('commits what belongs together at once, also where a batch is full', async () => {
  const at: number[] = [];
  const noted = (id: number) => (transaction: Transaction) => {
    at.push(commits.length);
    return add(id)(transaction);
  };
  const others = Array.from({ length: 255 }, (_, n) => writer.write(add(n + 1)));
  const pair = writer.together(() => [writer.write(noted(256)), writer.write(noted(257))]);
  const last = writer.write(noted(258));
  await Promise.all([...others, ...pair, last]);
  expect(at).toEqual([0, 0, 2]);
  expect((await ids()).length).toBe(258);
});

it('undoes a failing operation alone, also when it fails after its first change', async () => {
  const results = await Promise.allSettled([
    writer.write(add(1)),
    writer.write(async (transaction) => {
      await add(2)(transaction);
      throw new Error('guilty');
    }),
    writer.write(async (transaction) => {
      await add(3)(transaction);
      return add(1)(transaction); // there already
    }),
    writer.write(async (transaction) => {
      await add(4)(transaction);
      return transaction.get<{ n: number }>('SELECT count(*) AS n FROM parents');
    }),
  ]);
  expect(await ids()).toEqual([1, 4]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: { message: 'guilty' } });
  expect(results[2]).toMatchObject({ reason: { code: 'conflict' } });
  // It never sees the rows of those that failed.
  expect(results[3]).toMatchObject({ value: { n: 2 } });
});

it('rejects all of a batch whose COMMIT fails, and goes on', async () => {
  const orphan = (transaction: Transaction) => transaction.run('INSERT INTO children (parent) VALUES (99)');
  const results = await Promise.allSettled([writer.write(add(1)), writer.write(orphan), writer.write(add(2))]);
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await ids()).toEqual([]);
  await writer.write(add(3));
  expect(await ids()).toEqual([3]);
});

it('rejects what was on its way when the disk is full, commits none of it, and goes on when there is room', async () => {
  await connection.run('CREATE TABLE bodies (body BLOB)');
  const { page_count: pages } = (await connection.get<{ page_count: number }>('PRAGMA page_count'))!;
  await connection.all(`PRAGMA max_page_count = ${pages + 10}`);
  const big = (transaction: Transaction) => transaction.run('INSERT INTO bodies VALUES (?)', new Uint8Array(200_000));
  const results = await Promise.allSettled([writer.write(add(1)), writer.write(big), writer.write(add(2))]);
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'disk' } });
  expect(await ids()).toEqual([]);
  await connection.all(`PRAGMA max_page_count = ${pages + 1_000}`);
  await Promise.all([writer.write(add(3)), writer.write(big)]);
  expect(await ids()).toEqual([3]);
});

it('commits what waits when it is closed, and refuses what comes later', async () => {
  const early = writer.write(add(1));
  await writer.close();
  await early;
  expect(await ids()).toEqual([1]);
  await expect(writer.write(add(2))).rejects.toMatchObject({ code: 'closed' });
});
