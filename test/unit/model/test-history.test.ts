import { expect, it } from 'vitest';
import { verdictOf } from '../../../src/model/test-history.ts';
import type { TestState } from '../../../src/model/test-result.ts';

const STATES: Readonly<Record<string, TestState>> = { p: 'passed', f: 'failed', e: 'error', s: 'skipped' };
/** `f1 p2`: newest first, each a build of its own with a revision. */
const past = (text: string) =>
  text
    .split(' ')
    .filter((one) => one !== '')
    .map(([state = 'p', revision], index) => ({
      buildId: 100 - index,
      state: STATES[state]!,
      ...(revision !== undefined && { revision }),
    }));

it.each([
  ['f p', 'new'],
  ['e p', 'new'],
  ['f', ''],
  ['f f p', ''],
  ['f s p', 'new'],
  ['p f', ''],
  ['s f', ''],
  ['s p', ''],
  ['', ''],
  ['f1 p1', 'new flaky'],
  ['p1 f1', 'flaky'],
  ['f2 p1', 'new'],
  ['f3 f2 p1 p0', ''],
  ['f p f', 'new'],
  ['f p f p', 'new flaky'],
  ['p f p f', 'flaky'],
  ['p p p f f p p f', 'flaky'],
  ['p1 s1', ''],
])('%j is %j', (text, expected) => {
  const { isNew, isFlaky } = verdictOf(past(text));
  expect([...(isNew ? ['new'] : []), ...(isFlaky ? ['flaky'] : [])].join(' ')).toBe(expected);
});

it('a test that a build has twice failed there if one of them did', () => {
  const twice = (a: TestState, b: TestState) =>
    verdictOf([
      { buildId: 2, state: a },
      { buildId: 2, state: b },
      { buildId: 1, state: 'passed' },
    ]);
  for (const [a, b] of [
    ['passed', 'failed'],
    ['failed', 'passed'],
  ] as const) {
    expect(twice(a, b)).toEqual({ isNew: true, isFlaky: false });
  }
});
