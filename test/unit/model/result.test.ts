import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESULTS, STEP_RULES, contribution, halts, joinResults, worse } from '../../../src/model/result.ts';
import type { StepRules } from '../../../src/model/result.ts';

const result = fc.constantFrom(...RESULTS);
const rules: fc.Arbitrary<StepRules> = fc.record({
  haltOnFailure: fc.boolean(),
  flunkOnFailure: fc.boolean(),
  warnOnFailure: fc.boolean(),
  flunkOnWarnings: fc.boolean(),
  warnOnWarnings: fc.boolean(),
  alwaysRun: fc.boolean(),
});
const steps = fc.array(fc.record({ result, rules }), { maxLength: 10 });

describe('the result of a build', () => {
  it('does not depend on the order of its steps, and is the worst contribution', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const joined = joinResults(steps);
        expect(joinResults(steps.toReversed())).toBe(joined);
        for (const step of steps) {
          const part = contribution(step.result, step.rules);
          expect(worse(joined, part)).toBe(joined);
        }
        expect(['success', ...steps.map((step) => contribution(step.result, step.rules))]).toContain(joined);
      }),
      { seed: 13 },
    );
  });

  it('is success without steps, and when all were skipped', () => {
    expect(joinResults([])).toBe('success');
    expect(joinResults([{ result: 'skipped', rules: STEP_RULES }])).toBe('success');
  });

  it.each([
    ['failure', {}, 'failure'],
    ['failure', { flunkOnFailure: false }, 'success'],
    ['failure', { flunkOnFailure: false, warnOnFailure: true }, 'warnings'],
    ['warnings', {}, 'warnings'],
    ['warnings', { warnOnWarnings: false }, 'success'],
    ['warnings', { flunkOnWarnings: true }, 'failure'],
    ['exception', { flunkOnFailure: false, haltOnFailure: false }, 'exception'],
    ['retry', {}, 'retry'],
    ['cancelled', {}, 'cancelled'],
  ] as const)('takes a step’s %s under %o as %s', (step, flags, expected) => {
    expect(joinResults([{ result: step, rules: { ...STEP_RULES, ...flags } }])).toBe(expected);
  });
});

describe('a build', () => {
  it('is halted by a failure where its rules say so, and always by exception, retry and cancel', () => {
    const loose = { ...STEP_RULES, haltOnFailure: false };
    expect(RESULTS.filter((result) => halts(result, STEP_RULES))).toEqual([
      'cancelled',
      'retry',
      'exception',
      'failure',
    ]);
    expect(RESULTS.filter((result) => halts(result, loose))).toEqual(['cancelled', 'retry', 'exception']);
  });
});
