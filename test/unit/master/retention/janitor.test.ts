import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { ArtifactFolder } from '../../../../src/master/artifacts/artifact-folder.ts';
import { Janitor } from '../../../../src/master/retention/janitor.ts';
import type { JanitorOptions } from '../../../../src/master/retention/janitor.ts';
import { Connection } from '../../../../src/store/sqlite/connection.ts';
import { OF_BUILD } from '../../../../src/store/sqlite/retention.ts';
import type { Store } from '../../../../src/store/store.ts';
import { chunkOf } from '../../../support/log-chunks.ts';
import { sealed } from '../../../support/sealed.ts';
import { buildSet, claimOf, TempStore } from '../../../support/temp-store.ts';
import { until } from '../../../support/until.ts';

const DAY = 86_400_000;

let temp: TempStore;
let store: Store;
let artifacts: ArtifactFolder;
const open: Janitor[] = [];
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  artifacts = await ArtifactFolder.open(join(temp.dir, 'artifacts'), store.artifacts);
});
afterEach(async () => {
  for (const janitor of open.splice(0)) await janitor.close();
  await temp.remove();
});

/** Builds that ended a day apart, the last one now, each with a log that is sealed. */
async function builds(count: number): Promise<readonly { readonly id: number; readonly log: number }[]> {
  const made: { id: number; log: number }[] = [];
  for (let left = count; left > 0; left -= 1) {
    const [request] = await store.requests.add(buildSet('b'));
    const { id } = await store.requests.claim(claimOf(request!.id));
    const record = { id: `c${id}`, buildId: id, step: 0, key: '1', kind: 'run', call: {} };
    const log = (await store.commands.start(record, { name: 'stdio' }))!.id;
    await store.logs.append(log, chunkOf(Buffer.from('text\n'), 0, 'raw'));
    await store.logs.complete(log, 1);
    await store.builds.finish(id, 'success', undefined, temp.clock.now() - (left - 1) * DAY);
    made.push({ id, log });
  }
  for (const { log } of made) await sealed(temp, log, 5);
  return made;
}

const fileOf = (log: number): string => join(temp.archiveDir, '0', `${log}.log.gz`);

function janitor(config: ReturnType<JanitorOptions['config']>): void {
  const one = new Janitor({ store, artifacts, clock: temp.clock, logger: silentLogger, config: () => config });
  open.push(one);
  one.open();
}

/** Lets time pass until it is so. */
async function passes(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  await until(what, async () => {
    temp.clock.advance(60_000);
    return await isSo();
  });
}

it('gives up logs and builds by what the project says, and of what it does not say by what the farm says', async () => {
  const made = await builds(5);
  const projects = [{ name: 'p', keep: { logs: { last: 2 } }, builders: [], schedulers: [] }];
  janitor({ keep: { logs: { last: 1 }, builds: { forMs: 3 * DAY + DAY / 2 } }, projects });
  await passes('files are gone', () => made.slice(0, 3).every(({ log }) => !existsSync(fileOf(log))));
  const left = await Promise.all(made.map(async ({ id }) => (await store.builds.find(id)) !== undefined));
  expect(left).toEqual([false, true, true, true, true]);
  const deleted = await Promise.all(
    made.map(async ({ log }) => (await store.logs.find(log))?.deletedAtMs !== undefined),
  );
  expect(deleted).toEqual([false, true, true, false, false]);
  expect(made.map(({ log }) => existsSync(fileOf(log)))).toEqual([false, false, false, true, true]);
});

it('gives up artifacts by their own rule and with their build, and a content with the last that has it', async () => {
  const made = await builds(4);
  const keep = async (nth: number, name: string, content: string): Promise<string> => {
    const file = join(temp.dir, 'file');
    await writeFile(file, content);
    const { sha256, size, settled } = await artifacts.add(file);
    const place = { buildId: made[nth]!.id, project: 'p', builder: 'b', step: 0 };
    await store.artifacts.add({ ...place, name, sha256, size, keptAtMs: 1 });
    settled();
    return artifacts.path(sha256);
  };
  const withBuild = await keep(0, 'a', 'first');
  const byRule = await keep(1, 'a', 'second');
  const shared = await keep(1, 'shared', 'in all');
  await keep(3, 'shared', 'in all');
  const kept = await keep(3, 'a', 'last');
  janitor({ keep: { artifacts: { last: 2 }, builds: { last: 3 } }, projects: [] });
  await passes('what nobody has is gone', () => !existsSync(withBuild) && !existsSync(byRule));
  expect(await store.builds.find(made[0]!.id)).toBeUndefined();
  expect(await store.builds.find(made[1]!.id)).toBeDefined();
  expect(await store.artifacts.list(made[1]!.id)).toEqual([]);
  expect([existsSync(shared), existsSync(kept)]).toEqual([true, true]);
});

it('deletes nothing any more that a reload in the middle of it wants kept', async () => {
  const made = await builds(4);
  let config: ReturnType<JanitorOptions['config']> = { keep: { builds: { last: 1 } }, projects: [] };
  const one = new Janitor({ store, artifacts, clock: temp.clock, logger: silentLogger, config: () => config });
  open.push(one);
  one.open();
  temp.clock.advance(60_000);
  await until('the first is gone', async () => (await store.builds.find(made[2]!.id)) === undefined);
  config = { projects: [] };
  await passes('its file is gone, too', () => !existsSync(fileOf(made[2]!.log)));
  for (const { id } of [made[0]!, made[1]!, made[3]!]) expect(await store.builds.find(id)).toBeDefined();
});

it('deletes nothing where nothing is said', async () => {
  const made = await builds(2);
  const rounds: string[] = [];
  const retention = {
    ...store.retention,
    dropConfigs: async (beforeMs: number) => {
      rounds.push('over');
      return await store.retention.dropConfigs(beforeMs);
    },
  };
  const one = new Janitor({
    store: { retention, artifacts: store.artifacts },
    artifacts,
    clock: temp.clock,
    logger: silentLogger,
    config: () => ({ projects: [] }),
  });
  open.push(one);
  one.open();
  await passes('three rounds are over', () => rounds.length > 2);
  for (const { id, log } of made) {
    expect(await store.builds.find(id)).toBeDefined();
    expect(existsSync(fileOf(log))).toBe(true);
  }
});

it('removes files that a killed master had given up and not removed', async () => {
  const [first, last] = await builds(2);
  await store.retention.dropBuild(first!.id, 9_000);
  await store.close();
  expect(existsSync(fileOf(first!.log))).toBe(true);
  store = await temp.open();
  janitor({ projects: [] });
  await passes('the file is gone', () => !existsSync(fileOf(first!.log)));
  expect(existsSync(fileOf(last!.log))).toBe(true);
});

it('knows all tables that have rows of a build', async () => {
  const connection = await Connection.open(temp.file, 'readonly', 5_000);
  const tables = await connection.all<{ name: string }>(
    `SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'build_id'`,
  );
  await connection.close();
  // A build that has ended holds no lock and has no seat.
  const freed = ['lock_claims', 'lock_waits', 'seats'];
  expect(tables.map(({ name }) => name).sort()).toEqual([...OF_BUILD, ...freed].sort());
});
