import { expect, expectTypeOf, it } from 'vitest';
import { matrix } from '../../../src/config/matrix.ts';

it('goes through all combinations, the last axis first, with names and types', () => {
  const made = matrix({ os: ['linux', 'mac'], cc: ['gcc', 'clang'], opt: [0, 2] }, (cell, name) => {
    expectTypeOf(cell).toEqualTypeOf<{
      readonly os: 'linux' | 'mac';
      readonly cc: 'gcc' | 'clang';
      readonly opt: 0 | 2;
    }>();
    return `${name}: ${cell.cc} -O${cell.opt}`;
  });
  expect(made).toHaveLength(8);
  expect(made.slice(0, 3)).toEqual(['linux-gcc-0: gcc -O0', 'linux-gcc-2: gcc -O2', 'linux-clang-0: clang -O0']);
});

it('leaves out what is excluded, by parts or by a function, and joins lists', () => {
  const axes = { os: ['a', 'b'], debug: [true, false] } as const;
  const names = (_: unknown, name: string) => [name, `${name}!`];
  expect(
    matrix(axes, names, {
      exclude: [
        { os: 'a', debug: true },
        { os: 'b', debug: false },
      ],
    }),
  ).toEqual(['a-false', 'a-false!', 'b-true', 'b-true!']);
  expect(matrix(axes, (_, name) => name, { exclude: ({ debug }) => debug })).toEqual(['a-false', 'b-false']);
});

it('refuses what is none', () => {
  const none = () => 1;
  expect(() => matrix({}, none)).toThrow(/has no axis/);
  expect(() => matrix({ os: ['a'], cc: [] }, none)).toThrow(/the axis cc of a matrix is empty/);
  const long = Array.from({ length: 40 }, (_, n) => n);
  expect(() => matrix({ a: long, b: long }, none)).toThrow(/1600 combinations; at most 1000/);
});
