import { describe, expect, it } from 'vitest';
import { TapReader } from '../../../../src/master/test-results/tap-reader.ts';
import type { TestResult } from '../../../../src/model/test-result.ts';

function read(text: string, pieceCharacters = 5): { results: TestResult[]; problem: string | undefined } {
  const results: TestResult[] = [];
  const reader = new TapReader((result) => results.push(result));
  let problem: string | undefined;
  try {
    for (let at = 0; at < text.length; at += pieceCharacters) reader.write(text.slice(at, at + pieceCharacters));
    reader.end();
  } catch (error) {
    problem = (error as Error).message;
  }
  return { results, problem };
}

/** `suite / name: state`, with the message behind it. */
function told(text: string): readonly string[] {
  const { results, problem } = read(text);
  const lines = results.map(({ suite, name, state, message }) =>
    [`${suite === '' ? '' : `${suite} / `}${name}: ${state}`, ...(message === undefined ? [] : [message])].join(', '),
  );
  return problem === undefined ? lines : [...lines, `! ${problem}`];
}

it('reads points, directives, details and text between them', () => {
  const { results, problem } = read(`TAP version 14
1..7
making all
ok 1 - plain
not ok 2 fails
  ---
  message: "1 is not 2"
  duration_ms: 12.7
  at: file.c:9
  ...
ok 3 - \\# is no directive
ok 4 # SKIP no board
not ok 5 - later # TODO not yet
ok 6 - soon # todo
not ok
okay, this is no point
`);
  expect(problem).toBeUndefined();
  expect(results).toEqual([
    { suite: '', name: 'plain', state: 'passed' },
    {
      suite: '',
      name: 'fails',
      state: 'failed',
      message: '1 is not 2',
      durationMs: 13,
      detail: 'message: "1 is not 2"\nduration_ms: 12.7\nat: file.c:9\n',
    },
    { suite: '', name: '# is no directive', state: 'passed' },
    { suite: '', name: 'test 4', state: 'skipped', message: 'no board' },
    { suite: '', name: 'later', state: 'skipped', message: 'todo: not yet' },
    { suite: '', name: 'soon', state: 'passed', message: 'todo' },
    { suite: '', name: 'test 7', state: 'failed' },
  ]);
});

describe('subtests become suites', () => {
  it('named before them, as Node does', () => {
    const text = `TAP version 13
# Subtest: top
    # Subtest: inner
    ok 1 - inner
      ---
      duration_ms: 1
      ...
    # Subtest: deep
        # Subtest: leaf
        not ok 1 - leaf
          ---
          error: 'boom'
          ...
        1..1
    not ok 2 - deep
    1..2
not ok 1 - top
# Subtest: alone
ok 2 - alone
1..2
`;
    expect(told(text)).toEqual(['top / inner: passed', 'top / deep / leaf: failed, boom', 'alone: passed']);
  });

  it('named before them, as Perl does, or only at their end', () => {
    expect(told('    # Subtest: perl\n    ok 1 - a\n    1..1\nok 1 - perl\n1..1\n')).toEqual(['perl / a: passed']);
    const late = '        ok 1 - x\n        1..1\n    ok 1 - inner\n    ok 2 - y\n    1..2\nok 1 - outer\n1..1\n';
    expect(told(late.replace('        ok 1', '    1..2\n        ok 1').replace('    1..2\nok', 'ok'))).toEqual([
      'outer / inner / x: passed',
      'outer / y: passed',
    ]);
  });

  it('a failure that none of its tests shows is shown by its own point', () => {
    expect(told('    ok 1 - a\n    1..2\nnot ok 1 - whole # gone\n1..1\n')).toEqual([
      'whole # gone / a: passed',
      'whole # gone: failed',
    ]);
  });

  it('one without an end is an error', () => {
    expect(told('# Subtest: s\n    ok 1 - a\n1..1\n')).toEqual([
      's / a: passed',
      's / (end): error, it has no end',
      '! 1 tests were planned, 0 ran',
    ]);
  });
});

it.each([
  ['nothing', '', ['! there is no TAP in it']],
  [
    'a run that bailed out',
    '1..3\nok 1\nBail out! no database\nok 2\n',
    ['test 1: passed', '! it bailed out: no database'],
  ],
  ['too few', '1..3\nok 1 - a\n', ['a: passed', '! 3 tests were planned, 1 ran']],
  ['too many', 'ok 1 - a\nok 2 - b\n1..1\n', ['a: passed', 'b: passed', '! 1 tests were planned, 2 ran']],
  ['no plan', 'ok 1 - a\n', ['a: passed', '! it has no plan: the run may have been cut off']],
  ['all skipped', '1..0 # SKIP no display', ['(all): skipped, no display']],
  [
    'names with what ends lines elsewhere',
    '1..2\nok 1 - a\rb\nnot ok 2 - c\u2028d # skip e\rf\n',
    ['a\rb: passed', 'c\u2028d: skipped, e\rf'],
  ],
  ['a last line that is not ended, and lines of Windows', '1..1\r\nok 1 - a', ['a: passed']],
])('%s', (_, text, expected) => {
  expect(told(text)).toEqual(expected);
});

it('passes over lines without an end, and takes no memory for them', () => {
  const long = 'x'.repeat(1_000_000);
  expect(read(`1..1\n${long}\nok 1 - a\n`, 65_536)).toEqual({
    results: [{ suite: '', name: 'a', state: 'passed' }],
    problem: undefined,
  });
});
