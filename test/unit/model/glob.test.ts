import { array, assert, constant, oneof, pre, property, stringMatching } from 'fast-check';
import picomatch from 'picomatch';
import { expect, test } from 'vitest';
import { globStart, globStep, isMatch, mayGoOn, parseGlob } from '../../../src/model/glob.ts';

/** Whether a whole path is meant, and whether the walk would have come to it. */
function means(pattern: string, path: string): boolean {
  const paths = parseGlob(pattern);
  let state = globStart(paths);
  for (const name of path.split('/')) {
    if (!mayGoOn(paths, state)) return false;
    state = globStep(paths, state, name);
  }
  return isMatch(paths, state);
}

test.each([
  ['*.so', 'liba.so', true],
  ['*.so', 'lib/a.so', false],
  ['**/*.so', 'a.so', true],
  ['**/*.so', 'lib/deep/a.so', true],
  ['lib/**', 'lib/deep/a.so', true],
  ['lib/**/a', 'lib/a', true],
  ['lib/{a,b}/?', 'lib/b/c', true],
  ['lib/{a,b}/?', 'lib/c/c', false],
  ['[a-c]x', 'bx', true],
  ['[!a-c]x', 'bx', false],
  ['[]]', ']', true],
  ['*', '.hidden', false],
  ['.*', '.hidden', true],
  ['**/a', '.git/a', false],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['{a,{b,c}}', 'c', true],
  ['a}b{c,d}', 'a}bd', true],
  ['\\{a,b\\}', '{a,b}', true],
  ['\\{a,b\\}', 'a', false],
  ['?', 'ß', true],
  ['a b/ü*', 'a b/über', true],
  ['./a//b', 'a/b', true],
])('"%s" and "%s": %s', (pattern, path, is) => {
  expect(means(pattern, path)).toBe(is);
});

test('it means what picomatch, by which the filters of changes go, means', () => {
  const name = stringMatching(/^[ab.]{1,4}$/).filter((one) => one !== '.' && one !== '..');
  const part = oneof(name, constant('**'), stringMatching(/^[ab*?.]{1,4}$/));
  const pattern = array(part, { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'))
    // What picomatch makes of these differs from a shell: `***`, `**a`, and a dot that only `?` or `*` could mean.
    .filter((one) => !/\*\*[^/]|[^/]\*\*|(?:^|\/)\.{1,2}(?:\/|$)|(?:^|\/)\*\*\/\*\*/.test(one));
  const path = array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  assert(
    property(pattern, path, (glob, file) => {
      // A pattern that ends in `/**` means in picomatch the folder itself, too: no file.
      pre(!glob.endsWith('/**'));
      expect(means(glob, file), `${glob} ${file}`).toBe(picomatch(glob)(file));
    }),
    { numRuns: 1_000 },
  );
});

test('a pattern that would take for ever in a regular expression takes no time', () => {
  expect(means(`${'*a'.repeat(200)}b`, 'a'.repeat(250))).toBe(false);
  expect(means(`${'**/'.repeat(100)}x`, Array.from({ length: 200 }, () => 'a').join('/'))).toBe(false);
});

test.each([
  ['../x', 'leaves the folder'],
  ['/etc/*', 'leaves the folder'],
  ['a/{b,..}/c', 'leaves the folder'],
  ['', 'means no file'],
  ['[a', '"["'],
  ['{a,b}'.repeat(7), '64'],
])('"%s" is refused: %s', (pattern, why) => {
  expect(() => parseGlob(pattern)).toThrow(why);
});
