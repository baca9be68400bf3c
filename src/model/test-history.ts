import { isFailing } from './test-result.ts';
import type { TestState } from './test-result.ts';

/** One result of a test in a build of its builder and branch. */
export interface PastResult {
  readonly buildId: number;
  readonly state: TestState;
  /** What that build built; undefined when it is not known. */
  readonly revision?: string;
}

/** A test is looked up in so many of the last builds that have it. */
export const HISTORY_BUILDS = 10;
/** A test that went over from passed to failing, or back, so often in these is flaky. */
export const FLAKY_FLIPS = 3;

export interface TestVerdict {
  /** It fails, and passed in the last build before that has it. */
  readonly isNew: boolean;
  /** It passed and failed on one revision, or `FLAKY_FLIPS` times went over among its last `HISTORY_BUILDS` builds. */
  readonly isFlaky: boolean;
}

/**
 * What the history of a test says of its newest result. `results`: all of its last builds, newest first; a test that a build
 * has several times failed there if one of them did. What was skipped says nothing.
 */
export function verdictOf(results: readonly PastResult[]): TestVerdict {
  const builds = ofBuilds(results);
  const [now, before] = builds;
  if (!now) return { isNew: false, isFlaky: false };
  const flips = builds.filter(({ fails }, index) => index > 0 && fails !== builds[index - 1]?.fails).length;
  return {
    isNew: now.fails && before !== undefined && !before.fails && now.buildId === results[0]?.buildId,
    isFlaky: flips >= FLAKY_FLIPS || builds.some((one) => wentBothWays(one, builds)),
  };
}

interface OfBuild {
  readonly buildId: number;
  readonly fails: boolean;
  readonly revision: string | undefined;
}

function wentBothWays({ revision, fails }: OfBuild, builds: readonly OfBuild[]): boolean {
  return revision !== undefined && builds.some((other) => other.revision === revision && other.fails !== fails);
}

function ofBuilds(results: readonly PastResult[]): readonly OfBuild[] {
  const builds = new Map<number, OfBuild>();
  for (const { buildId, state, revision } of results) {
    if (state === 'skipped') continue;
    const fails = isFailing(state) || (builds.get(buildId)?.fails ?? false);
    builds.set(buildId, { buildId, fails, revision });
  }
  return [...builds.values()];
}
