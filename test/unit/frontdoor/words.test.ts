import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { splitWords } from '../../../src/frontdoor/words.ts';

test('a line is taken apart at blanks and by its quotes', () => {
  expect(splitWords(`force  kde/debian -p 'a b=c d' --reason "say \\"hi\\" \\n" x\\ y ''`)).toEqual([
    'force',
    'kde/debian',
    '-p',
    'a b=c d',
    '--reason',
    'say "hi" \\n',
    'x y',
    '',
  ]);
});

test.each(["it's", 'say "no', 'end \\'])('%s is refused with what is wrong', (line) => {
  expect(() => splitWords(line)).toThrow(/never closed|ends in a backslash/);
});

test('words quoted by single quotes come back as they were', () => {
  const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  assert(
    property(array(string()), (words) => {
      expect(splitWords(words.map(quote).join(' '))).toEqual(words);
    }),
  );
});
