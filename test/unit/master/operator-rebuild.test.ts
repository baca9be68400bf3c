import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { RebuildWish, RequestView } from '../../../src/master/views/request.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const CAROL = { name: 'carol', role: 'developer' } as const;
const SAME: RebuildWish = { isLatest: false, isWholeSet: false };
let farm: TryFarm;

beforeAll(async () => {
  farm = await TryFarm.create(`
    workers: [worker('w', { maxBuilds: 5 })],
    projects: [project('p', {
      source: git('/nowhere', { branch: 'main' }),
      builders: [
        builder('a', { workers: ['w'], steps: [step('got', (ctx) => ctx.setProperty('got_revision', 'abc123'))] }),
        builder('b', { workers: ['w'], steps: [sh('s', 'true')] }),
        builder('patched', { workers: ['w'], steps: [checkout({ timeout: '1s' })] }),
      ],
      schedulers: [force(), onChange({ branch: 'main', builders: ['a', 'b'] }), tryBuilds()],
    })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function end(request: RequestView | undefined): Promise<BuildView> {
  const last = (await farm.watch(request?.id ?? 0)).at(-1);
  if (last?.kind !== 'build') throw new Error('there is no build');
  return last.build;
}

async function again(build: BuildView, wish: Partial<RebuildWish> = {}): Promise<readonly BuildView[]> {
  return await Promise.all((await farm.operator.rebuild(CAROL, String(build.id), { ...SAME, ...wish })).map(end));
}

test('a rebuild has the properties of the first, and what that had really built', async () => {
  const first = await end(
    await farm.operator.force(ADMIN, { project: 'p', builder: 'a' }, { properties: { mode: 'full' } }),
  );
  expect(first.revision).toBeNull();
  const [second] = await again(first);
  expect(second).toMatchObject({
    revision: 'abc123',
    branch: 'main',
    owner: 'carol',
    reason: `rebuild of build ${first.id}`,
  });
  expect(second?.properties).toContainEqual({ name: 'mode', value: 'full', source: 'request' });
  expect(second).toMatchObject({ rebuildOf: first.id, rebuiltAs: [] });
  expect(await farm.operator.build(ADMIN, String(first.id))).toMatchObject({
    rebuildOf: null,
    rebuiltAs: [second!.id],
  });
  const [newest] = await again(second!, { isLatest: true, reason: 'once more' });
  expect(newest).toMatchObject({ revision: null, branch: 'main', reason: 'once more' });
});

test('with its whole set, all that was asked for together is asked for again, for the same changes', async () => {
  const [sent] = await farm.operator.sendChanges(ADMIN, 'p', [{ branch: 'main', revision: 'def', author: 'Ann' }]);
  const watched = await Promise.all(sent!.requests.map((id) => farm.watch(id)));
  const last = watched[0]?.at(-1);
  if (last?.kind !== 'build') throw new Error('there is no build');
  const builds = await again(last.build, { isWholeSet: true });
  expect(builds.map(({ builder }) => builder)).toEqual(['a', 'b']);
  for (const { blame } of builds) expect(blame).toEqual(['Ann']);
  const originals = await Promise.all(builds.map((one) => farm.operator.build(ADMIN, String(one.rebuildOf))));
  expect(originals.map(({ builder, rebuiltAs }) => [builder, rebuiltAs])).toEqual(
    builds.map((one) => [one.builder, [one.id]]),
  );
  expect((await again(last.build)).map(({ builder }) => builder)).toEqual(['a']);
});

test('a patch is built again as long as it is kept', async () => {
  const targets = [{ project: 'p', builder: 'patched' }];
  const piece = Buffer.from('--- a\n+++ b\n');
  const pieces = (async function* () {
    yield await Promise.resolve(piece);
  })();
  const [request] = await farm.operator.tryPatch(ADMIN, targets, { revision: 'abc', properties: {} }, pieces);
  const first = await end(request);
  const [second] = await again(first);
  expect(second).toMatchObject({ revision: 'abc', patch: first.patch });
  await expect(farm.operator.rebuild(CAROL, String(first.id), { ...SAME, isLatest: true })).rejects.toThrow(
    'leave --latest out, or try the patch anew',
  );
  const folder = join(farm.masterDir, 'state', 'patches');
  for (const name of await readdir(folder)) await rm(join(folder, name));
  await expect(farm.operator.rebuild(CAROL, String(first.id), SAME)).rejects.toMatchObject({
    code: 'conflict',
    message: 'its patch is not kept any more: try it anew',
  });
});

test('what is not in the configuration any more, or was never there, is not rebuilt', async () => {
  await expect(farm.operator.rebuild(CAROL, '4711', SAME)).rejects.toMatchObject({ code: 'not-found' });
  await expect(farm.operator.rebuild({ name: 'rita', role: 'reader' }, '1', SAME)).rejects.toMatchObject({
    code: 'forbidden',
  });
});

test('a build of a fork is built again at its own revision, and not at whatever its tip is by now', async () => {
  const revision = 'c0ffee'.padEnd(40, '0');
  const wish = { properties: {}, branch: 'refs/pull/7/head', revision };
  const request = await farm.operator.force(CAROL, { project: 'p', builder: 'b' }, wish);
  expect(request.waitsFor).toContain('waits for approval');
  await farm.operator.approveBuild(CAROL, `request:${request.id}`, undefined);
  const first = await end(request);
  expect(first).toMatchObject({ result: 'success', untrustedOf: 'somebody' });
  await expect(again(first, { isLatest: true })).rejects.toThrow(
    'is of a fork, whose tip may be another one at any time',
  );
  expect(await again(first)).toMatchObject([{ result: 'success', untrustedOf: 'somebody', revision }]);
});
