import { describe, expect, it } from 'vitest';
import { CASES } from '../../conformance/cases.ts';
import { parseOptions } from '../../conformance/options.ts';
import { runCases } from '../../conformance/run-cases.ts';

describe('the options of the suite', () => {
  it('end where the program begins, whose words are its own', () => {
    const options = parseOptions(['--case', 'C02', '--case', 'C01', '--jobs', '3', 'prog', '--list', '{dir}']);
    expect(options).toMatchObject({ command: ['prog', '--list', '{dir}'], isList: false, jobs: 3 });
    expect('cases' in options && options.cases.map(({ id }) => id)).toEqual(['C01', 'C02']);
    expect(parseOptions(['--list'])).toMatchObject({ isList: true, cases: CASES });
  });

  it.each([
    [[], 'name the program'],
    [['--case', 'C99', 'prog'], 'there is no case "C99"'],
    [['--jobs', 'many', 'prog'], '--jobs wants a number'],
    [['--patience', '0', 'prog'], '--patience wants seconds'],
    [['--quick', 'prog'], '--quick is no option'],
  ])('%j are a mistake that is told', (words, told) => {
    expect(parseOptions(words)).toMatchObject({ mistake: expect.stringContaining(told) as string });
  });
});

it('a program that ends fails each case with a line that says so, and one that is none is told once', async () => {
  const two = CASES.slice(0, 2);
  const told: string[] = [];
  const options = { jobs: 2, patienceMs: 5_000, onResult: ({ line }: { readonly line: string }) => told.push(line) };
  await runCases(two, {
    ...options,
    command: ['sh', '-c', 'echo no key in $TRUNKLINE_DIR >&2; test -f {key}; exit 3'],
  });
  expect(told).toEqual([
    expect.stringMatching(
      /^FAIL C01 .*expected a connection of the worker, but the program ended \(3\); it said "no key in \/.*"$/,
    ),
    expect.stringMatching(/^FAIL C02 /),
  ]);
  told.length = 0;
  const none = runCases(two, { ...options, command: ['/no/such/program'] });
  await expect(none).rejects.toThrow('the program cannot be started: spawn /no/such/program ENOENT');
  expect(told).toEqual([]);
});
