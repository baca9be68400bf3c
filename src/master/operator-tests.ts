import { verdictOf } from '../model/test-history.ts';
import { NO_TESTS } from '../model/test-result.ts';
import type { TestCounts } from '../model/test-result.ts';
import type { Store } from '../store/store.ts';
import type { TestReport } from '../store/test-result-store.ts';
import { findBuild } from './operator-names.ts';
import type { TestsOfBuildWish, TestsView, TestView } from './views/tests.ts';

const LIST_MAX = 1_000;

/** What the tests of a build did, with what the builds before say of each. */
export async function testsOfBuild(store: Store, name: string, wish: TestsOfBuildWish): Promise<TestsView> {
  const build = await findBuild(store, name);
  const { which, after } = wish;
  const limit = Math.max(1, Math.min(LIST_MAX, Math.floor(wish.limit)));
  // One more than is shown tells whether there are more, without counting them all.
  const [reports, found, steps] = await Promise.all([
    store.tests.reports(build.id),
    store.tests.list(build.id, { which, after, limit: limit + 1 }),
    store.builds.steps(build.id),
  ]);
  const kept = found.slice(0, limit);
  const [history, more] = await Promise.all([
    store.tests.history([...new Set(kept.map(({ identity }) => identity))], build.id),
    found.length > limit ? store.tests.count(build.id, which, kept.at(-1)?.id ?? 0) : 0,
  ]);
  const names = new Map(steps.map((step) => [step.index, step.name]));
  return {
    build: build.id,
    project: build.project,
    builder: build.builder,
    number: build.number,
    counts: countsOf(reports) ?? NO_TESTS,
    leftOut: reports.reduce((sum, { leftOut }) => sum + leftOut, 0),
    tests: kept.map(({ id, identity, step, suite, name, state, durationMs, message, detail }): TestView => ({
      id,
      step: names.get(step) ?? '',
      suite,
      name,
      state,
      ...verdictOf(history.get(identity) ?? []),
      durationMs: durationMs ?? null,
      message: message ?? null,
      detail: detail ?? null,
    })),
    more,
  };
}

/** Of all calls together; undefined when there was none. */
export function countsOf(reports: readonly TestReport[]): TestCounts | undefined {
  if (reports.length === 0) return undefined;
  return reports.reduce(
    (sum, { counts }) => ({
      passed: sum.passed + counts.passed,
      failed: sum.failed + counts.failed,
      errors: sum.errors + counts.errors,
      skipped: sum.skipped + counts.skipped,
    }),
    NO_TESTS,
  );
}
