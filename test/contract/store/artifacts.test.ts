import { beforeEach, expect, it } from 'vitest';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { Build } from '../../../src/model/build.ts';
import type { Result } from '../../../src/model/result.ts';
import type { SourceStamp } from '../../../src/model/source-stamp.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimedBuild, claimOf } from '../../support/temp-store.ts';

eachStore('artifacts', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const hash = (char: string): string => char.repeat(64);
  const of = ({ id, project, builder }: Build, name: string, sha256: string): Artifact => ({
    buildId: id,
    project,
    builder,
    step: 0,
    name,
    sha256,
    size: 5,
    keptAtMs: 7,
  });
  const ended = async (result: Result, name = 'a'): Promise<Build> => {
    const build = await claimedBuild(store);
    await store.artifacts.add(of(build, name, hash('a')));
    await store.builds.finish(build.id, result, undefined, 9);
    return build;
  };

  const endedOf = async (source: SourceStamp): Promise<Build> => {
    const [request] = await store.requests.add({ ...buildSet('b'), source });
    const build = await store.requests.claim(claimOf(request!.id));
    await store.artifacts.add(of(build, 'a', hash('c')));
    await store.builds.finish(build.id, 'success', undefined, 9);
    return build;
  };

  it('keeps those of a build by name, each name once', async () => {
    const build = await claimedBuild(store);
    await store.artifacts.add(of(build, 'b', hash('1')));
    await store.artifacts.add(of(build, 'a/x', hash('2')));
    await expect(store.artifacts.add(of(build, 'b', hash('3')))).rejects.toMatchObject({ code: 'conflict' });
    expect((await store.artifacts.list(build.id)).map(({ name }) => name)).toEqual(['a/x', 'b']);
    expect(await store.artifacts.find(build.id, 'b')).toEqual(of(build, 'b', hash('1')));
    expect(await store.artifacts.find(build.id, 'c')).toBeUndefined();
    expect(await store.artifacts.count(build.id)).toBe(2);
  });

  it('finds the newest of a good build', async () => {
    const good = await ended('warnings');
    await ended('failure');
    await ended('success', 'another');
    const running = await claimedBuild(store);
    await store.artifacts.add(of(running, 'a', hash('b')));
    const { project, builder } = good;
    expect(await store.artifacts.lastGood({ name: 'a', project, builder })).toMatchObject({ buildId: good.id });
    expect(await store.artifacts.lastGood({ name: 'a', project })).toMatchObject({ buildId: good.id });
    expect(await store.artifacts.lastGood({ name: 'a', project, builder: 'none' })).toBeUndefined();
  });

  it('finds none of builds of forks, nor of those with a patch', async () => {
    const good = await ended('success');
    const patch = { id: '01JDPATCH', sha256: hash('d'), bytes: 5 };
    const { project, builder } = good;
    await store.approvals.approve({ project, revision: 'fff', by: 'ann', atMs: 5 });
    await endedOf({ branch: 'refs/pull/7/head', revision: 'fff', untrustedOf: 'mallory' });
    await endedOf({ revision: 'abc', patch });
    expect(await store.artifacts.lastGood({ name: 'a', project, builder })).toMatchObject({ buildId: good.id });
    const next = await endedOf({ branch: 'refs/pull/7/head' });
    expect(await store.artifacts.lastGood({ name: 'a', project })).toMatchObject({ buildId: next.id });
  });

  it('says which contents nobody has any more when those of a build are removed', async () => {
    const [one, two] = [await claimedBuild(store), await claimedBuild(store)];
    await store.artifacts.add(of(one, 'a', hash('1')));
    await store.artifacts.add(of(one, 'b', hash('2')));
    await store.artifacts.add(of(one, 'c', hash('2')));
    await store.artifacts.add(of(two, 'a', hash('1')));
    expect(await store.artifacts.removeOf(one.id)).toEqual([hash('2')]);
    expect(await store.artifacts.list(one.id)).toEqual([]);
    expect([...(await store.artifacts.referenced([hash('1'), hash('2')]))]).toEqual([hash('1')]);
  });
});
