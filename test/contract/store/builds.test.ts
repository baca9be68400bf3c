import { beforeEach, expect, it } from 'vitest';
import { MAX_BUILDS_OF_A_REQUEST } from '../../../src/model/build-request.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf, claimedBuild } from '../../support/temp-store.ts';

eachStore('builds', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('has no end before its beginning, when the clock was put back in between', async () => {
    const build = await claimedBuild(store);
    await store.builds.startStep(build.id, 0, 3_000);
    await store.builds.finishStep(build.id, 0, 'success', undefined, 20);
    await store.builds.finish(build.id, 'success', undefined, 21);
    expect((await store.builds.steps(build.id))[0]).toMatchObject({ startedAtMs: 3_000, finishedAtMs: 3_000 });
    expect(await store.builds.find(build.id)).toMatchObject({ startedAtMs: 2_000, finishedAtMs: 2_000 });
  });

  it('finishes build, request and seat together, once', async () => {
    const build = await claimedBuild(store);
    await store.builds.requestStop(build.id, 'enough', 3_000);
    await store.builds.requestStop(build.id, 'really', 3_000);
    await store.builds.finish(build.id, 'cancelled', 'stopped: enough', 2_005);
    await store.builds.finish(build.id, 'success', undefined, 2_006);
    expect(await store.builds.find(build.id)).toMatchObject({
      state: 'finished',
      result: 'cancelled',
      summary: 'stopped: enough',
      stopReason: 'enough',
      finishedAtMs: 2_005,
    });
    expect(await store.requests.find(build.requestId)).toMatchObject({ result: 'cancelled', buildId: build.id });
    expect((await store.workers.seats())[0]).not.toHaveProperty('buildId');
    expect(await store.builds.running()).toEqual([]);
    await store.workers.removeSeat(build.session);
    expect(await store.workers.seats()).toEqual([]);
    await expect(store.builds.finish(4711, 'success', undefined, 6)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('puts the request of a retried build back where it was in the queue, in the same commit', async () => {
    const build = await claimedBuild(store);
    const [younger] = await store.requests.add({ ...buildSet('b'), atMs: 9_000 });
    const before = await store.requests.find(build.requestId);
    await store.builds.finish(build.id, 'retry', 'worker w was lost', 5);
    expect(await store.builds.find(build.id)).toMatchObject({ result: 'retry', summary: 'worker w was lost' });
    expect(await store.requests.find(build.requestId)).toEqual({ ...before, state: 'pending', cause: 'lost' });
    const { state: _state, ...rest } = before!;
    const waiting = { ...rest, cause: 'lost' };
    expect(await store.requests.pending()).toEqual([waiting, younger]);
    expect((await store.workers.seats())[0]).not.toHaveProperty('buildId');
    const again = await store.requests.claim(claimOf(build.requestId, 'v'));
    expect(again).toMatchObject({ requestId: build.requestId, number: 2, worker: 'v', source: build.source });
    expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'claimed', buildId: again.id });
    expect(await store.builds.ofRequest(build.requestId)).toEqual([build.id, again.id]);
    await store.builds.finish(again.id, 'success', undefined, 6);
    expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'finished', result: 'success' });
    expect(await store.requests.pending()).toEqual([younger]);
  });

  it('retries no build that someone wants stopped', async () => {
    const build = await claimedBuild(store);
    await store.builds.requestStop(build.id, 'enough', 3_000);
    await store.builds.finish(build.id, 'retry', 'worker w was lost', 5);
    expect(await store.builds.find(build.id)).toMatchObject({ result: 'cancelled', summary: 'enough' });
    expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'finished', result: 'cancelled' });
  });

  it('says of a build that was retried meanwhile that there is nothing to stop', async () => {
    const build = await claimedBuild(store);
    expect(await store.builds.requestStop(build.id, 'enough', 3_000)).toBe(true);
    const other = await claimedBuild(store);
    await store.builds.finish(other.id, 'retry', 'worker w was lost', 5);
    expect(await store.builds.requestStop(other.id, 'enough', 3_000)).toBe(false);
    expect(await store.builds.find(other.id)).not.toHaveProperty('stopReason');
    await expect(store.builds.requestStop(4711, 'enough', 3_000)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('retries a request so often, and no more', async () => {
    const [request] = await store.requests.add(buildSet('b'));
    for (let n = 1; n <= MAX_BUILDS_OF_A_REQUEST; n++) {
      const build = await store.requests.claim(claimOf(request!.id));
      await store.builds.finish(build.id, 'retry', n > 1 ? 'lost' : undefined, n);
    }
    const builds = await store.builds.ofRequest(request!.id);
    expect(builds).toHaveLength(MAX_BUILDS_OF_A_REQUEST);
    expect(await store.requests.find(request!.id)).toMatchObject({ state: 'finished', result: 'retry' });
    expect(await store.builds.find(builds.at(-2)!)).toMatchObject({ result: 'retry', summary: 'lost' });
    expect((await store.builds.find(builds.at(-1)!))?.summary).toContain('lost; not retried again');
  });

  it('keeps a seat that a build sits in', async () => {
    const build = await claimedBuild(store);
    await expect(store.workers.removeSeat(build.session)).rejects.toMatchObject({ code: 'not-found' });
    expect(await store.workers.seats()).toHaveLength(1);
  });

  it('keeps steps: the first start, the result', async () => {
    const { id } = await claimedBuild(store);
    await store.builds.startStep(id, 0, 10);
    await store.builds.startStep(id, 0, 20);
    expect(await store.builds.steps(id)).toMatchObject([{ state: 'running', startedAtMs: 10 }]);
    await store.builds.finishStep(id, 0, 'failure', '2 tests', 30);
    expect(await store.builds.steps(id)).toEqual([
      {
        buildId: id,
        index: 0,
        name: 'make',
        state: 'finished',
        result: 'failure',
        summary: '2 tests',
        startedAtMs: 10,
        finishedAtMs: 30,
      },
    ]);
    await store.builds.describeStep(id, 0, 'compiling');
    expect(await store.builds.steps(id)).toMatchObject([{ description: 'compiling' }]);
    await store.builds.finishStep(id, 0, 'success', undefined, 30, { isHidden: true });
    expect(await store.builds.steps(id)).toMatchObject([{ description: 'compiling', isHidden: true }]);
    await store.builds.finishStep(id, 0, 'success', undefined, 30, { description: 'compiled' });
    expect((await store.builds.steps(id))[0]).not.toHaveProperty('isHidden');
    expect(await store.builds.steps(id)).toMatchObject([{ description: 'compiled' }]);
    await expect(store.builds.describeStep(id, 1, 'x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.builds.startStep(id, 1, 10)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('replaces a property', async () => {
    const { id } = await claimedBuild(store);
    await store.builds.setProperty(id, { name: 'a', value: { deep: [null, true] }, source: 'one' });
    await store.builds.setProperty(id, { name: 'a', value: 'x', source: 'two' });
    expect(await store.builds.properties(id)).toEqual([{ name: 'a', value: 'x', source: 'two' }]);
    const lost = store.builds.setProperty(4711, { name: 'a', value: 1, source: 'one' });
    await expect(lost).rejects.toMatchObject({ code: 'not-found' });
  });

  it('lists newest first, by each filter', async () => {
    const builds = [];
    for (const name of ['b', 'c', 'b']) builds.push(await claimedBuild(store, name));
    const [one, two, three] = builds.map((build) => build.id);
    await store.builds.finish(one!, 'success', undefined, 5);
    const ids = async (filter: object) => (await store.builds.list({ limit: 10, ...filter })).map((build) => build.id);
    expect(await ids({})).toEqual([three, two, one]);
    expect(await ids({ limit: 1 })).toEqual([three]);
    expect(await ids({ before: three })).toEqual([two, one]);
    expect(await ids({ project: 'p', builder: 'b' })).toEqual([three, one]);
    expect(await ids({ builder: 'b', state: 'finished' })).toEqual([one]);
    expect(await ids({ project: 'q' })).toEqual([]);
  });

  it('knows when a build began last on a worker, though a later one was made earlier', async () => {
    const requests = await Promise.all(['w', 'w', 'v'].map(() => store.requests.add(buildSet('b'))));
    const atMs = [5_000, 3_000, 7_000];
    for (const [index, worker] of ['w', 'w', 'v'].entries()) {
      await store.requests.claim({ ...claimOf(requests[index]![0]!.id, worker), atMs: atMs[index]! });
    }
    expect(await store.builds.lastStarts(['w', 'x'])).toEqual(new Map([['w', 5_000]]));
  });

  it('knows where each builder was built last, by builds that are not being checked any more', async () => {
    const [b, c] = ['b', 'c'].map((builder) => ({ project: 'p', builder }));
    for (const [builder, worker] of [
      ['b', 'w'],
      ['c', 'w'],
      ['b', 'v'],
    ] as const) {
      const [request] = await store.requests.add(buildSet(builder));
      await store.requests.claim(claimOf(request!.id, worker));
    }
    const [checked] = await store.requests.add(buildSet('b'));
    const { id } = await store.requests.claim({ ...claimOf(checked!.id, 'u'), isCheck: true });
    const last = () => store.builds.lastWorkers([b!, c!, { project: 'p', builder: 'never' }]);
    expect(await last()).toEqual([
      { ...b, worker: 'v' },
      { ...c, worker: 'w' },
    ]);
    await store.builds.passCheck(id, 3_000);
    expect(await last()).toContainEqual({ ...b, worker: 'u' });
  });
});
