import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Connection } from '../../../src/store/sqlite/connection.ts';
import { migrate } from '../../../src/store/sqlite/migrate.ts';
import { MIGRATIONS } from '../../../src/store/sqlite/migrations.ts';
import type { Migration } from '../../../src/store/sqlite/migrations/migration.ts';
import { StoreError } from '../../../src/store/store.ts';
import { claimedBuild, TempStore } from '../../support/temp-store.ts';

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

async function refusal(): Promise<StoreError> {
  const error: unknown = await temp.open().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).message).toContain(temp.file);
  expect((error as StoreError).message).not.toContain('\n');
  return error as StoreError;
}

async function sql(...statements: readonly string[]): Promise<void> {
  const connection = await Connection.open(temp.file, 'readwrite', 5_000);
  for (const statement of statements) await connection.run(statement);
  await connection.close();
}

it('makes the database once, readable by its owner only, with one name for ever', async () => {
  const first = await temp.open();
  const id = await first.masterId();
  expect(await first.masterId()).toBe(id);
  await first.close();
  expect((await stat(temp.file)).mode & 0o777).toBe(0o600);
  const second = await temp.open();
  expect(await second.masterId()).toBe(id);
});

it('refuses a newer schema and leaves it alone', async () => {
  await (await temp.open()).close();
  await sql('PRAGMA user_version = 4711');
  const error = await refusal();
  expect(error.code).toBe('newer-schema');
  expect(error.message).toContain('4711');
});

it('holds no snapshot after the steps of the schema, which a write of another program would make stale', async () => {
  const store = await temp.open();
  await sql('CREATE TABLE others (id INTEGER)');
  await store.audit.add({ atMs: 1, who: 'anna', action: 'try', target: 'it' });
});

it('takes all new steps of the schema or none', async () => {
  const store = await temp.open();
  const build = await claimedBuild(store);
  await store.close();
  const good: Migration = (schema) => schema.alterTable('builds', (table) => table.text('colour'));
  const bad: Migration = (schema) => schema.alterTable('no_such_table', (table) => table.text('colour'));
  const connection = await Connection.open(temp.file, 'readwrite', 5_000);
  await expect(migrate(connection, temp.file, [...MIGRATIONS, good, bad])).rejects.toMatchObject({ code: 'disk' });
  const columns = await connection.all<{ name: string }>('PRAGMA table_info(builds)');
  expect(columns.map((column) => column.name)).not.toContain('colour');
  await migrate(connection, temp.file, [...MIGRATIONS, good]);
  expect(await connection.get('SELECT id, colour FROM builds')).toEqual({ id: build.id, colour: null });
  await connection.close();
});

const EARLIER = MIGRATIONS.map((_, taken) => taken).slice(1);

it.each(EARLIER)('keeps what a database of schema %i holds, and can then retry its builds', async (taken) => {
  const connection = await Connection.open(temp.file, 'readwrite', 5_000);
  await migrate(connection, temp.file, MIGRATIONS.slice(0, taken));
  const rows = [
    `INSERT INTO workers (name, facts, epoch, is_connected) VALUES ('w', '{}', 3, 0)`,
    'INSERT INTO source_stamps (id) VALUES (1)',
    `INSERT INTO build_sets (id, source_stamp_id, reason, owner, properties, priority, submitted_at_ms)
     VALUES (1, 1, 'because', 'anna', '{}', 0, 1000)`,
    `INSERT INTO build_requests (id, build_set_id, project, builder, state) VALUES (4, 1, 'p', 'b', 'claimed')`,
    `INSERT INTO builds (id, uid, number, request_id, project, builder, worker, session, fence, config_hash, state, started_at_ms)
      VALUES (7, 'U', 1, 4, 'p', 'b', 'w', 'S', 1, 'c0ffee', 'running', 2000)`,
    `INSERT INTO seats VALUES ('S', 'w', 'p', 'b', 0, 'p/b', 1, 7)`,
    `INSERT INTO steps (build_id, step, name, state) VALUES (7, 0, 'make', 'running')`,
  ];
  for (const row of rows) await connection.run(row);
  await connection.close();
  const store = await temp.open();
  expect(await store.builds.running()).toMatchObject([{ id: 7, uid: 'U', requestId: 4, owner: 'anna' }]);
  const known = await store.workers.find('w');
  expect(known).toMatchObject({ epoch: 3 });
  // From before there were leases: nobody knows what it holds.
  expect(known?.leaseMs).toBe(taken === 1 ? Number.MAX_SAFE_INTEGER : undefined);
  expect(await store.builds.steps(7)).toMatchObject([{ name: 'make', state: 'running' }]);
  await store.builds.finish(7, 'retry', 'worker w was lost', 3_000);
  const claim = { requestId: 4, worker: 'v', configHash: 'c0ffee', stepNames: ['make'], properties: [], atMs: 4_000 };
  expect(await store.requests.claim(claim)).toMatchObject({ requestId: 4, number: 2, worker: 'v' });
});

it('refuses the database of another program', async () => {
  await sql('CREATE TABLE theirs (x)');
  expect((await refusal()).code).toBe('damaged');
});

it('refuses a file that is no database', async () => {
  await writeFile(temp.file, 'hello, world\n'.repeat(1_000));
  expect((await refusal()).code).toBe('damaged');
});

it('refuses a folder in place of the file, and a folder that is not there', async () => {
  await mkdir(temp.file);
  expect((await refusal()).code).toBe('disk');
  const nowhere = join(temp.dir, 'no', 'such', 'file');
  await expect(temp.open({ file: nowhere })).rejects.toMatchObject({ code: 'disk' });
});

it('says that a damaged file is damaged', async () => {
  const store = await temp.open();
  await claimedBuild(store);
  await store.close();
  const file = await open(temp.file, 'r+');
  const { size } = await file.stat();
  // All but the first page, which says what file it is and holds the schema's root.
  await file.write(Buffer.alloc(size - 16_384, 0x5a), 0, size - 16_384, 16_384);
  await file.close();
  const failed = temp.open().then(async (reopened) => {
    await reopened.builds.running();
  });
  await expect(failed).rejects.toMatchObject({ code: 'damaged' });
});

it('says that it is closed to who comes later, or is overtaken by the close', async () => {
  const store = await temp.open();
  const overtaken = Array.from({ length: 20 }, () => store.workers.list());
  await store.close();
  for (const result of await Promise.allSettled(overtaken)) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'closed' });
  }
  await expect(store.workers.list()).rejects.toMatchObject({ code: 'closed' });
  await expect(store.workers.detachAll(1)).rejects.toMatchObject({ code: 'closed' });
});
