import { expect, test } from 'vitest';
import { isSuppressed, parseSuppressions } from '../../../../src/config/steps/suppressions.ts';
import type { Suppression, Warning } from '../../../../src/config/steps/suppressions.ts';
import { WARNING, WarningReader } from '../../../../src/config/steps/warning-reader.ts';

test.each([
  ['hello.c:3:7: warning: unused variable ‘a’ [-Wunused-variable]', true],
  ['src/a.cpp:12: Warning: deprecated', true],
  ['ld: warning: directory not found for option', true],
  ['warning: unused import: `std::io`', true],
  ['  warning: 2 targets are not built', true],
  ['make[1]: warning:  Clock skew detected.', true],
  ['a.c(7): warning C4100: unreferenced formal parameter', true],
  ['1 warning generated.', false],
  ['checking for -Wwarning... yes', false],
  ['cc -c no-warning: x', false],
  ['a.c:1:1: error: no such type', false],
])('%s: is a warning: %s', (line, is) => {
  expect(WARNING.test(line)).toBe(is);
});

test.each<[string, Warning, Suppression, boolean]>([
  ['all fits', { file: 'a.c', line: 3, text: 'unused x' }, { file: /a\.c/, text: /unused/, lines: [1, 3] }, true],
  ['another file', { file: 'b.c', line: 3, text: 'unused x' }, { file: /a\.c/ }, false],
  ['a file fits from its begin', { file: 'src/a.c', text: '' }, { file: /a\.c/ }, false],
  ['alternatives fit from the begin, too', { file: 'src/a.c', text: '' }, { file: /b\.c|a\.c/ }, false],
  ['a text fits anywhere', { file: 'a.c', text: 'is unused' }, { text: /unused/ }, true],
  ['no file: any fits', { text: 'unused' }, { file: /a\.c/, text: /unused/ }, true],
  ['after the lines', { file: 'a.c', line: 4, text: '' }, { file: /a\.c/, lines: [1, 3] }, false],
  ['no line: none fits', { file: 'a.c', text: '' }, { file: /a\.c/, lines: [1, 3] }, false],
])('suppressions: %s', (_what, warning, suppression, is) => {
  expect(isSuppressed(warning, [suppression])).toBe(is);
});

test('a file of suppressions is read as Buildbot reads it', () => {
  const text = '# ours\n\n a\\.c : unused : 3-7 \nb\\.c:deprecated: 9\r\nsrc/.* : never (used|read)\n';
  expect(parseSuppressions(text)).toEqual([
    { file: /a\.c/, text: /unused/, lines: [3, 7] },
    { file: /b\.c/, text: /deprecated/, lines: [9, 9] },
    { file: /src\/.*/, text: /never (used|read)/ },
  ]);
});

test.each([
  ['nothing but a file\n', /^line 1 .*is no suppression: write FILE : TEXT/],
  ['a : b\n( : c\n', /^line 2 of the suppressions, "\( : c": Invalid regular expression/],
])('%j is told with its line', (text, told) => {
  expect(() => parseSuppressions(text)).toThrow(told);
});

test('make tells the folder that a file is in, and its suppressions are found there', () => {
  const reader = new WarningReader(WARNING, parseSuppressions('/b/sub/a\\.c : unused\n/b/other/.* : x'));
  for (const line of [
    "make[1]: Entering directory '/b/sub'",
    'a.c:1: warning: unused x',
    "make[2]: Entering directory '/b/sub/deep'",
    'a.c:1: warning: unused y',
    "make[2]: Leaving directory '/b/sub/deep'",
    'a.c:2: warning: unused z',
    "make[1]: Leaving directory '/b/sub'",
    'a.c:3: warning: unused w',
  ])
    reader.read(line);
  expect([reader.count, reader.suppressed]).toEqual([2, 2]);
  expect(reader.text).toBe('a.c:1: warning: unused y\na.c:3: warning: unused w\n');
});

test('a pattern names file, line and text by its groups, and goes on in no other line', () => {
  const pattern = /^W: (?<text>.*) in (?<file>\S+) at (?<line>\d+)/g;
  const reader = new WarningReader(pattern, [{ file: /a/, text: /^odd$/, lines: [2, 2] }]);
  for (const line of ['W: odd in a at 2', 'W: odd in a at 3', 'W: even in a at 2', 'odd']) reader.read(line);
  expect([reader.count, reader.suppressed]).toEqual([2, 1]);
});

test('a function says of each line what it is', () => {
  const reader = new WarningReader(
    (line) => (line === 'w' ? true : line === 'f' ? { file: 'gone' } : null),
    [{ file: /gone/, text: /f/ }],
  );
  for (const line of ['w', 'f', 'x']) reader.read(line);
  expect([reader.count, reader.suppressed, reader.text]).toEqual([1, 1, 'w\n']);
});

test('of very many warnings the first are kept, and all are counted', () => {
  const reader = new WarningReader(WARNING, []);
  const line = `a.c:1: warning: ${'x'.repeat(1_000)}`;
  for (let n = 0; n < 5_000; n++) reader.read(line);
  expect(reader.count).toBe(5_000);
  expect(reader.text.length).toBeLessThan(1_100_000);
  expect(reader.text).toMatch(/\[trunkline: \d+ more warnings are in the log of the command only\]\n$/);
});

test('of the folders that make enters and does not leave the last are known', () => {
  const reader = new WarningReader(WARNING, parseSuppressions('/f\\d+/a\\.c : unused'));
  const tell = (): number => {
    reader.read('a.c:1: warning: unused x');
    return reader.suppressed;
  };
  for (let n = 0; n < 150; n++) reader.read(`make: Entering directory '/f${n}'`);
  expect(tell()).toBe(1);
  for (let n = 0; n < 99; n++) reader.read('make: Leaving directory');
  expect(tell()).toBe(2);
  reader.read('make: Leaving directory');
  expect(tell()).toBe(2);
});

test('a line is read once, whatever is in it', () => {
  const reader = new WarningReader(WARNING, []);
  // Were each "make" a begin to try from, this would take minutes.
  for (let n = 0; n < 200; n++) reader.read('make'.repeat(16 * 1024));
  expect(reader.count).toBe(0);
});
