import { beforeEach, expect, it } from 'vitest';
import type { TestResult, TestState } from '../../../src/model/test-result.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { claimedBuild } from '../../support/temp-store.ts';

const lane = { project: 'p', builder: 'b', branch: 'main' };
const counts = { passed: 1, failed: 2, errors: 3, skipped: 4 };
const test = (name: string, state: TestState = 'passed'): TestResult => ({ suite: 's', name, state });

eachStore('results of tests', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });
  const build = async (): Promise<number> => (await claimedBuild(store)).id;
  const call = (buildId: number, n = 1) => ({ command: `${buildId}.${n}`, buildId, step: n });
  const all = { which: 'all', after: 0, limit: 100 } as const;

  it('are kept as they came, each once, also when a call brings them again', async () => {
    const id = await build();
    const full: TestResult = { ...test('b', 'error'), durationMs: 7, message: '"m"\n\u001b', detail: 'ä\u{1f600}' };
    for (const _ of [1, 2]) {
      await store.tests.add(call(id), lane, 0, [test('a'), full]);
      await store.tests.add(call(id), lane, 2, [test('c', 'skipped')]);
    }
    await store.tests.add(call(id, 2), lane, 0, [test('a', 'failed')]);
    const kept = await store.tests.list(id, all);
    expect(kept).toMatchObject([
      { ...test('a'), step: 1 },
      full,
      test('c', 'skipped'),
      { ...test('a', 'failed'), step: 2 },
    ]);
    expect(kept).toHaveLength(4);
    expect(Object.keys(kept[0]!).toSorted()).toEqual(['id', 'identity', 'name', 'state', 'step', 'suite']);
    expect(kept[0]?.identity).toBe(kept[3]?.identity);
    expect(await store.tests.list(id, { ...all, command: call(id, 2).command })).toEqual([kept[3]]);
  });

  it('are listed by what they are, from anywhere, and counted', async () => {
    const id = await build();
    const states = ['passed', 'failed', 'error', 'skipped'] as const;
    await store.tests.add(
      call(id),
      lane,
      0,
      [...states, ...states].map((state, n) => test(`t${n}`, state)),
    );
    await store.tests.add(call(await build()), lane, 0, [test('other', 'failed')]);
    const names = async (which: 'failing' | 'notable', after = 0, limit = 9) =>
      (await store.tests.list(id, { which, after, limit })).map(({ name }) => name);
    expect(await names('failing')).toEqual(['t1', 't2', 't5', 't6']);
    expect(await names('notable')).toEqual(['t1', 't2', 't3', 't5', 't6', 't7']);
    const [first] = await store.tests.list(id, { ...all, limit: 1 });
    expect(await names('failing', first!.id + 1, 2)).toEqual(['t2', 't5']);
    expect([await store.tests.count(id, 'failing', 0), await store.tests.count(id, 'all', first!.id)]).toEqual([4, 7]);
  });

  it('have a report a call, which stays as it was first told', async () => {
    const id = await build();
    const report = { ...call(id), counts, leftOut: 5 };
    await store.tests.addReport({ ...call(id, 2), counts, leftOut: 0, revision: 'r' });
    await store.tests.addReport(report);
    await store.tests.addReport({ ...report, leftOut: 6 });
    expect(await store.tests.reports(id)).toEqual([report, { ...call(id, 2), counts, leftOut: 0, revision: 'r' }]);
  });

  it('are found in the builds before, newest first, on their own branch and by their own builder', async () => {
    const builds: number[] = [];
    for (let n = 0; n < 13; n++) {
      const id = await build();
      builds.push(id);
      await store.tests.add(call(id), lane, 0, [test('a', n % 2 === 0 ? 'passed' : 'failed'), test('b')]);
      await store.tests.add(call(id, 2), { ...lane, branch: 'other' }, 0, [test('a', 'error')]);
      await store.tests.addReport({ ...call(id), counts, leftOut: 0, revision: `r${n}` });
    }
    const at = builds[11]!;
    const [a, b] = await store.tests.list(at, all);
    const history = await store.tests.history([b!.identity, a!.identity, 'unknown'], at);
    expect([...history.keys()]).toEqual([b!.identity, a!.identity]);
    const past = history.get(a!.identity)!;
    expect(past.map(({ buildId }) => buildId)).toEqual(builds.slice(2, 12).toReversed());
    expect(past[0]).toEqual({ buildId: at, state: 'failed', revision: 'r11' });
    expect(past[1]).toEqual({ buildId: builds[10], state: 'passed', revision: 'r10' });
  });

  it('of what is on no branch know the history of the branch, and are none of it', async () => {
    const [before, aside, after] = [await build(), await build(), await build()];
    await store.tests.add(call(before), lane, 0, [test('a')]);
    await store.tests.add(call(aside), { ...lane, isAside: true }, 0, [test('a', 'failed')]);
    await store.tests.add(call(after), lane, 0, [test('a', 'skipped')]);
    const [a] = await store.tests.list(before, all);
    const states = async (at: number) =>
      (await store.tests.history([a!.identity], at)).get(a!.identity)?.map(({ state }) => state);
    expect(await states(aside)).toEqual(['failed', 'passed']);
    expect(await states(after)).toEqual(['skipped', 'passed']);
  });
});
