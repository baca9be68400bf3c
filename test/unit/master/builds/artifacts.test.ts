import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FindArtifactArgs, KeepArgs } from '../../../../src/config/calls.ts';
import type { StepAnswer } from '../../../../src/config/code-host.ts';
import { ArtifactFolder } from '../../../../src/master/artifacts/artifact-folder.ts';
import { findArtifact } from '../../../../src/master/builds/calls/artifacts.ts';
import { endOfFileCall } from '../../../../src/master/builds/calls/files.ts';
import { fetchedPath } from '../../../../src/master/files/fetched-file.ts';
import { BuildSecrets } from '../../../../src/master/secrets/build-secrets.ts';
import { SecretBook } from '../../../../src/master/secrets/secret-book.ts';
import type { Build } from '../../../../src/model/build.ts';
import type { SourceStamp } from '../../../../src/model/source-stamp.ts';
import type { Store } from '../../../../src/store/store.ts';
import { TempStore, buildSet, claimOf } from '../../../support/temp-store.ts';

const MAIN: SourceStamp = { branch: 'main' };
const FORK: SourceStamp = { branch: 'refs/pull/7/head', revision: 'abc', untrustedOf: 'mallory' };

let temp: TempStore;
let store: Store;
let artifacts: ArtifactFolder;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  await store.approvals.approve({ project: 'p', revision: 'abc', by: 'ann', atMs: 5 });
  artifacts = await ArtifactFolder.open(join(temp.dir, 'artifacts'), store.artifacts);
});
afterEach(() => temp.remove());

async function running(source: SourceStamp): Promise<Build> {
  const [request] = await store.requests.add({ ...buildSet('b'), source });
  return await store.requests.claim(claimOf(request!.id));
}

/** As the builds do when the worker's file has come. */
async function keep(build: Build, args: KeepArgs, secrets: BuildSecrets = secretsOf([])): Promise<StepAnswer> {
  const command = `c${build.id}`;
  const filesDir = join(temp.dir, 'files');
  await mkdir(dirname(fetchedPath(filesDir, command)), { recursive: true });
  await writeFile(fetchedPath(filesDir, command), `of build ${build.id}`);
  const { answer, also } = await endOfFileCall(
    { kind: 'keep', args },
    command,
    { status: 'done', startedAtMs: 1, endedAtMs: 2 },
    {
      tools: { store, clock: temp.clock, folders: { dir: temp.dir, filesDir, artifacts } },
      build,
      step: { index: 0 },
      secrets,
    },
  );
  await also?.();
  return answer;
}

async function kept(source: SourceStamp): Promise<Build> {
  const build = await running(source);
  expect(await keep(build, { path: 'out/a', name: 'a' })).toHaveProperty('ok');
  await store.builds.finish(build.id, 'success', undefined, 9);
  return build;
}

function secretsOf(names: readonly string[]): BuildSecrets {
  return new BuildSecrets({
    book: new SecretBook({ dir: temp.dir, clock: temp.clock }),
    secrets: names.map((name) => ({ name, from: { kind: 'file', path: name }, projects: 'all' })),
    reader: { project: 'p', isUntrusted: false },
  });
}

async function find(build: Build, wish: Omit<FindArtifactArgs, 'name'>): Promise<StepAnswer> {
  const config = (): never => {
    throw new Error('it is said where the artifact is from');
  };
  return await findArtifact({ store, config }, build, { name: 'a', ...wish });
}

test('what a fork has kept is for builds of forks alone, and for them by its number', async () => {
  const trusted = await kept(MAIN);
  const fork = await kept(FORK);
  const [asker, forkAsker] = [await running(MAIN), await running(FORK)];
  const byNumber = { from: 'p/b', build: fork.number };
  expect(await find(asker, byNumber)).toEqual({
    error: `artifact "a": p/b#${fork.number} is of a fork, and its artifacts are for builds of forks alone`,
  });
  expect(await find(forkAsker, byNumber)).toMatchObject({ ok: { build: fork.id } });
  for (const build of [asker, forkAsker]) {
    expect(await find(build, { from: 'p/b' })).toMatchObject({ ok: { build: trusted.id } });
    expect(await find(build, { from: 'p' })).toMatchObject({ ok: { build: trusted.id } });
    expect(await find(build, { from: 'p/b', build: trusted.number })).toMatchObject({ ok: { build: trusted.id } });
  }
});

test('where forks alone have kept one there is none', async () => {
  await kept(FORK);
  for (const source of [MAIN, FORK]) {
    expect(await find(await running(source), { from: 'p/b' })).toEqual({
      error: 'artifact "a": no good build of p/b has kept one',
    });
  }
});

test('a secret in the name of an artifact is masked before it is stored', async () => {
  await writeFile(join(temp.dir, 'key'), 'correct horse', { mode: 0o600 });
  const secrets = secretsOf(['key']);
  await secrets.give(['key']);
  const build = await running(MAIN);
  expect(await keep(build, { path: 'a', name: 'out/correct horse' }, secrets)).toHaveProperty('ok');
  expect((await store.artifacts.list(build.id)).map(({ name }) => name)).toEqual(['out/*************']);
});
