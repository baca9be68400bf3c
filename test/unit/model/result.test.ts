import { describe, expect, it } from 'vitest';
import { BEGUN, RESULTS, STEP_RULES, withStep } from '../../../src/model/result.ts';
import type { Result, StepRules } from '../../../src/model/result.ts';

interface Ended {
  readonly step: Result;
  readonly rules: StepRules;
}

const FLAGS = Object.keys(STEP_RULES) as (keyof StepRules)[];
/** All rules that there can be. */
const ALL_RULES = Array.from(
  { length: 2 ** FLAGS.length },
  (_, bits) => Object.fromEntries(FLAGS.map((flag, nth) => [flag, ((bits >> nth) & 1) === 1])) as unknown as StepRules,
);
const ALL: readonly Ended[] = RESULTS.flatMap((step) => ALL_RULES.map((rules) => ({ step, rules })));

/**
 * The rules of Buildbot's code, in its own words and numbers (engine notes, 1.12: `computeResultAndTermination`, `worst_status`, and
 * how a build takes its next step), written without a look at ours.
 */
const SUCCESS = 0;
const WARNINGS = 1;
const FAILURE = 2;
const SKIPPED = 3;
const EXCEPTION = 4;
const RETRY = 5;
const CANCELLED = 6;
const NUMBERS: Readonly<Record<Result, number>> = {
  success: SUCCESS,
  warnings: WARNINGS,
  failure: FAILURE,
  skipped: SKIPPED,
  exception: EXCEPTION,
  retry: RETRY,
  cancelled: CANCELLED,
};

function worstStatus(a: number, b: number): number {
  const worstFirst = [CANCELLED, RETRY, EXCEPTION, FAILURE, WARNINGS, SUCCESS, SKIPPED];
  return worstFirst.find((status) => status === a || status === b) ?? -1;
}

function buildbot(steps: readonly Ended[]): { readonly result: number; readonly ran: number } {
  let buildResult = SUCCESS;
  let terminate = false;
  let ran = 0;
  for (const { step, rules } of steps) {
    if (terminate && !rules.alwaysRun) continue;
    ran += 1;
    const result = NUMBERS[step];
    let possible = result;
    if (result === FAILURE) {
      if (!rules.flunkOnFailure) possible = SUCCESS;
      if (rules.warnOnFailure) possible = WARNINGS;
      if (rules.flunkOnFailure) possible = FAILURE;
      if (rules.haltOnFailure) terminate = true;
    } else if (result === WARNINGS) {
      possible = rules.warnOnWarnings ? WARNINGS : SUCCESS;
      if (rules.flunkOnWarnings) possible = FAILURE;
    } else if (result === EXCEPTION || result === RETRY || result === CANCELLED) {
      terminate = true;
    }
    buildResult = worstStatus(buildResult, possible);
  }
  return { result: buildResult, ran };
}

/** As a build run goes over its steps. */
function ours(steps: readonly Ended[]): { readonly result: number; readonly ran: number } {
  let standing = BEGUN;
  let ran = 0;
  for (const { step, rules } of steps) {
    if (standing.isHalted && !rules.alwaysRun) continue;
    ran += 1;
    standing = withStep(standing, step, rules);
  }
  return { result: NUMBERS[standing.result], ran };
}

/** The first few that differ. */
function differences(builds: Iterable<readonly Ended[]>): {
  readonly count: number;
  readonly wrong: readonly unknown[];
} {
  const wrong: unknown[] = [];
  let count = 0;
  for (const steps of builds) {
    count += 1;
    const [expected, found] = [buildbot(steps), ours(steps)];
    if (wrong.length < 3 && (expected.result !== found.result || expected.ran !== found.ran))
      wrong.push({ steps, expected, found });
  }
  return { count, wrong };
}

function* pairs(): Iterable<readonly Ended[]> {
  for (const first of ALL) for (const second of ALL) yield [first, second];
}

/** Three in a row, with the rules that the third one is looked at by: whether it still runs. */
function* triples(): Iterable<readonly Ended[]> {
  const few = RESULTS.flatMap((step) =>
    [true, false].flatMap((haltOnFailure) =>
      [true, false].map((alwaysRun) => ({ step, rules: { ...STEP_RULES, haltOnFailure, alwaysRun } })),
    ),
  );
  for (const first of few) for (const second of few) for (const third of few) yield [first, second, third];
}

describe('the result of a build', () => {
  it('is that of Buildbot for every result and all flags of one step', () => {
    expect(differences(ALL.map((one) => [one]))).toEqual({ count: 7 * 64, wrong: [] });
  });

  it('is that of Buildbot for every pair of steps, and so is which of them run', () => {
    expect(differences(pairs())).toEqual({ count: (7 * 64) ** 2, wrong: [] });
  });

  it('is that of Buildbot for three steps, of which each may halt or run always', () => {
    expect(differences(triples())).toEqual({ count: (7 * 4) ** 3, wrong: [] });
  });

  it('is success without steps, and when all were skipped', () => {
    expect(BEGUN.result).toBe('success');
    expect(withStep(BEGUN, 'skipped', STEP_RULES)).toEqual(BEGUN);
  });

  it('differs in what is not said: a failure halts, which it does not there for most steps', () => {
    expect(STEP_RULES).toEqual({
      haltOnFailure: true,
      flunkOnFailure: true,
      warnOnFailure: false,
      flunkOnWarnings: false,
      warnOnWarnings: true,
      alwaysRun: false,
    });
    expect(withStep(BEGUN, 'failure', STEP_RULES)).toEqual({ result: 'failure', isHalted: true });
    expect(withStep(BEGUN, 'failure', { ...STEP_RULES, haltOnFailure: false }).isHalted).toBe(false);
  });
});
