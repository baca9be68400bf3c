import { expect, it } from 'vitest';
import type { Build } from '../../../src/model/build.ts';
import { BUILDER_RULES } from '../../../src/model/request-rules.ts';
import type { SourceStamp } from '../../../src/model/source-stamp.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { chunkOf, readAll } from '../../support/log-chunks.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

const END = 5_000;
const CHANGE = {
  project: 'p',
  repository: 'https://git.example.org/x.git',
  branch: 'main',
  comments: '',
  files: [],
  filesLeftOut: 0,
  properties: {},
  atMs: 1,
  sentBy: 'hook',
};

interface BuiltOptions {
  readonly parent?: Build;
  readonly builders?: readonly string[];
  readonly source?: SourceStamp;
}

/** A finished build of `p/b` with one log, and the log's id. */
async function built(store: Store, options: BuiltOptions = {}) {
  const { parent, builders = ['b'], source = { branch: 'main' } } = options;
  const set = { ...buildSet(...builders), source };
  const [first] = parent
    ? (await store.requests.trigger([{ ...set, parent: { buildId: parent.id, waits: true, key: 'k' } }])).flat()
    : (await store.requests.add(set)).map(({ id }) => id);
  const build = await store.requests.claim(claimOf(first!));
  const record = { id: `c${build.id}`, buildId: build.id, step: 0, key: '1', kind: 'run', call: {} };
  const log = await store.commands.start(record, { name: 'stdio' });
  await store.logs.append(log!.id, chunkOf(Buffer.from('one\ntwo\n'), 0, 'raw'));
  await store.logs.complete(log!.id, END);
  await store.commands.finish(record.id, { ok: null });
  await store.builds.setProperty(build.id, { name: 'x', value: 1, source: 's' });
  await store.builds.finish(build.id, 'success', undefined, END);
  return { build, log: log!.id };
}

eachStore('retention', (current) => {
  it('shows finished builds of a project a page at a time, with what their logs take', async () => {
    const { store } = current;
    const [one, two] = [await built(store), await built(store)];
    await store.requests.claim(claimOf((await store.requests.add(buildSet('b')))[0]!.id));
    expect(await store.retention.projects()).toEqual(['p']);
    const page = await store.retention.page('p', Number.MAX_SAFE_INTEGER, 1);
    expect(page).toEqual([
      {
        id: two.build.id,
        builder: 'b',
        isGood: true,
        isNeeded: false,
        finishedAtMs: END,
        hasLogs: true,
        logBytes: 8,
        hasArtifacts: false,
        artifactBytes: 0,
      },
    ]);
    expect((await store.retention.page('p', two.build.id, 10)).map(({ id }) => id)).toEqual([one.build.id]);
    expect(await store.retention.page('q', two.build.id, 10)).toEqual([]);
  });

  it('says of a deleted log that it is deleted, and how long it was', async () => {
    const { store } = current;
    const { build, log } = await built(store);
    await store.retention.dropLogs(build.id, 9_000);
    expect(await store.logs.find(log)).toMatchObject({ length: 8, lines: 2, deletedAtMs: 9_000 });
    await expect(readAll(store, log)).rejects.toMatchObject({ code: 'gone' });
    expect(await store.retention.page('p', build.id + 1, 1)).toMatchObject([{ hasLogs: false, logBytes: 0 }]);
    expect(await store.builds.find(build.id)).toMatchObject({ result: 'success' });
    // Once is enough: the time stays.
    await store.retention.dropLogs(build.id, 9_999);
    expect(await store.logs.find(log)).toMatchObject({ deletedAtMs: 9_000 });
  });

  it('removes a build with its request and set, and leaves no row of it', async () => {
    const { store } = current;
    const { build, log } = await built(store);
    await store.retention.dropBuild(build.id, 9_000);
    expect(await store.builds.find(build.id)).toBeUndefined();
    expect(await store.requests.find(build.requestId)).toBeUndefined();
    expect(await store.requests.ofSet(build.buildSetId)).toEqual([]);
    expect([await store.builds.steps(build.id), await store.builds.properties(build.id)]).toEqual([[], []]);
    expect([await store.commands.list(build.id), await store.logs.find(log)]).toEqual([[], undefined]);
    expect(await store.retention.projects()).toEqual([]);
  });

  it('leaves alone what runs, what others of its set still wait for, and what its parent may ask for', async () => {
    const { store } = current;
    const running = await store.requests.claim(claimOf((await store.requests.add(buildSet('b')))[0]!.id));
    await store.retention.dropLogs(running.id, 9_000);
    await store.retention.dropBuild(running.id, 9_000);
    const half = await built(store, { builders: ['b', 'c'] });
    await store.retention.dropBuild(half.build.id, 9_000);
    const child = await built(store, { parent: running });
    await store.retention.dropBuild(child.build.id, 9_000);
    for (const { id } of [running, half.build, child.build]) expect(await store.builds.find(id)).toBeDefined();

    await store.builds.finish(running.id, 'success', undefined, END);
    await store.retention.dropBuild(child.build.id, 9_000);
    expect(await store.builds.find(child.build.id)).toBeUndefined();
  });

  it('says which builds are good for others, and which are needed still', async () => {
    const { store } = current;
    const [first] = await store.requests.add(buildSet('checked'));
    const checked = await store.requests.claim({ ...claimOf(first!.id), isCheck: true });
    const running = await store.requests.claim(claimOf((await store.requests.add(buildSet('parent')))[0]!.id));
    const fork = { branch: 'refs/pull/7/head', revision: 'f'.repeat(40), untrustedOf: 'eve' };
    await store.approvals.approve({ project: 'p', revision: fork.revision, by: 'ann', atMs: 1 });
    const patch = { id: '1', sha256: '0', bytes: 1 };
    const made = [
      await built(store),
      await built(store, { source: fork }),
      await built(store, { source: { patch } }),
      await built(store, { parent: running }),
      await built(store),
      await built(store, { builders: ['checked'] }),
    ];
    // It began before the other one, and has the higher number.
    await store.builds.passCheck(checked.id, 2);
    await store.builds.finish(checked.id, 'warnings', undefined, END);
    const page = await store.retention.page('p', Number.MAX_SAFE_INTEGER, 10);
    const flags = new Map(page.map(({ id, isGood, isNeeded }) => [id, [isGood, isNeeded]]));
    expect(made.map(({ build }) => flags.get(build.id))).toEqual([
      [true, false],
      [false, false],
      [false, false],
      [true, true],
      [true, true],
      [true, false],
    ]);
    expect(flags.get(checked.id)).toEqual([true, true]);
  });

  it('keeps requests that another is built in place of, with their changes, as long as there is that one', async () => {
    const { store } = current;
    await store.configs.put({ hash: 'c0ffee', bundle: new Uint8Array(), atMs: 1 });
    const rules = { ...BUILDER_RULES, collapses: true };
    await store.configs.activate('c0ffee', {}, [{ noun: 'builder', project: 'p', name: 'b', rules }]);
    const source = { repository: CHANGE.repository, branch: 'main' };
    const ids: number[] = [];
    for (const revision of ['one', 'two']) {
      const taker = { scheduler: 's', isImportant: true, set: { ...buildSet('b'), source: { ...source, revision } } };
      ids.push(...(await store.changes.add({ ...CHANGE, revision }, revision, [taker])).requests);
    }
    const [older, newer] = ids;
    expect(await store.requests.find(older!)).toMatchObject({ collapsedInto: newer });
    const revisions = async () => (await store.changes.ofRequest(newer!)).map(({ revision }) => revision);
    expect(await store.retention.dropUnbuilt('p', 5_000)).toBe(0);
    const build = await store.requests.claim(claimOf(newer!));
    await store.builds.finish(build.id, 'success', undefined, END);
    expect(await store.retention.dropUnbuilt('p', 9_000)).toBe(0);
    expect(await revisions()).toEqual(['one', 'two']);
    expect(await store.retention.dropBuild(build.id, 9_000)).toBe(true);
    expect(await store.retention.dropUnbuilt('p', 9_000)).toBeGreaterThan(0);
    expect(await store.requests.find(older!)).toBeUndefined();
  });

  it('keeps what was not built of a set as long as there is a build of it', async () => {
    const { store } = current;
    const [built, unbuilt] = await store.requests.add(buildSet('b', 'c'));
    await store.requests.cancel(unbuilt!.id, 'no', 3_000);
    const build = await store.requests.claim(claimOf(built!.id));
    await store.builds.finish(build.id, 'success', undefined, END);
    expect(await store.retention.dropUnbuilt('p', 9_000)).toBe(0);
    await store.retention.dropBuild(build.id, 9_000);
    expect(await store.retention.dropUnbuilt('p', 9_000)).toBe(1);
    expect(await store.requests.ofSet(build.buildSetId)).toEqual([]);
  });

  it('forgets a virtual builder with the last build that is shown as it', async () => {
    const { store } = current;
    const set = { ...buildSet('b'), properties: { virtual_builder_name: 'arm' } };
    const ids: number[] = [];
    for (const end of [1, 2]) {
      const build = await store.requests.claim(claimOf((await store.requests.add(set))[0]!.id));
      await store.builds.finish(build.id, 'success', undefined, END + end);
      ids.push(build.id);
    }
    await store.retention.dropBuild(ids[0]!, 9_000);
    expect(await store.builders.virtual()).toMatchObject([{ project: 'p', name: 'arm' }]);
    await store.retention.dropBuild(ids[1]!, 9_000);
    expect(await store.builders.virtual()).toEqual([]);
  });

  it('keeps what is known of revisions of forks, and gives up other changes that nothing is built of', async () => {
    const { store } = current;
    const told = (revision: string, more = {}) =>
      store.changes.add({ ...CHANGE, revision, ...more }, `key ${revision} ${JSON.stringify(more)}`, []);
    await told('a'.repeat(40));
    await told('b'.repeat(40), { isUntrusted: true });
    // It was merged as it was.
    await told('c'.repeat(40), { isUntrusted: true });
    await told('c'.repeat(40));
    expect(await store.retention.dropUnbuilt('p', 5_000)).toBe(1);
    expect(await store.changes.trustOf('p', 'a'.repeat(40))).toBeUndefined();
    expect(await store.changes.trustOf('p', 'b'.repeat(40))).toEqual({ untrustedOf: 'hook' });
    expect(await store.changes.trustOf('p', 'c'.repeat(40))).toEqual({});
  });

  it('removes requests that came to no build, and changes that nothing waits for, of before a time', async () => {
    const { store } = current;
    const [old] = await store.requests.add(buildSet('b'));
    await store.requests.cancel(old!.id, 'no', 3_000);
    const [young] = await store.requests.add(buildSet('b'));
    await store.requests.cancel(young!.id, 'no', 8_000);
    const [waiting] = await store.requests.add(buildSet('b'));
    expect(await store.retention.dropUnbuilt('p', 5_000)).toBe(1);
    expect(await store.requests.find(old!.id)).toBeUndefined();
    for (const kept of [young!, waiting!]) expect(await store.requests.find(kept.id)).toBeDefined();
  });

  it('removes bundles of which there is no build any more, but not the active one', async () => {
    const { store } = current;
    const { build } = await built(store);
    for (const hash of ['active', 'old', build.configHash])
      await store.configs.put({ hash, bundle: Buffer.from(hash), atMs: 1_000 });
    await store.configs.put({ hash: 'young', bundle: Buffer.from('young'), atMs: 9_000 });
    await store.configs.activate('active', {});
    expect(await store.retention.dropConfigs(5_000)).toBe(1);
    expect(await store.configs.bundle('old')).toBeUndefined();
    for (const hash of ['active', 'young', build.configHash]) expect(await store.configs.bundle(hash)).toBeDefined();
  });
});
