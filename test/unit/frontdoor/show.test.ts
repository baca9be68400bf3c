import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { plain, plainLines } from '../../../src/base/plain.ts';
import { table } from '../../../src/frontdoor/show/table.ts';
import { howLong, howLongLeft, when } from '../../../src/frontdoor/show/time.ts';
import { actsOnTerminal } from '../../support/terminal.ts';

test('control characters are shown, not sent', () => {
  expect(plain('a\u001b[2Jb\u0007\r\n\u202e')).toBe('a\\x1b[2Jb\\x07\\x0d\\x0a\\u202e');
  assert(
    property(string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex -- that is what must not be there
      expect(plain(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

test('columns line up', () => {
  expect(
    table(
      ['A', 'LONG'],
      [
        ['xyz', '1'],
        ['y', '22'],
      ],
    ),
  ).toBe('A    LONG\nxyz  1\ny    22\n');
});

test.each([
  [0, '0.0 s'],
  [840, '0.8 s'],
  [59_999, '59 s'],
  [185_000, '3 min 5 s'],
  [7_800_000, '2 h 10 min'],
  [90_000_000, '1 d 1 h'],
])('%d ms are %s', (ms, text) => {
  expect(howLong(ms)).toBe(text);
});

test('what is left of an hour that has just begun is an hour', () => {
  expect(howLongLeft(3_599_990)).toBe('1 h 0 min');
  expect(howLongLeft(-5)).toBe('0.0 s');
});

test('times are UTC', () => {
  expect(when(Date.UTC(2026, 10, 21, 6, 13, 43))).toBe('2026-11-21 06:13:43');
});

test('a text of lines stays a text of lines, and JSON stays JSON', () => {
  expect(plainLines('a\tb\n\u001b[2J\u202e\u009b\r\n')).toBe('a\tb\n\\x1b[2J\\u202e\\u009b\\x0d\n');
  assert(
    property(string({ unit: 'binary' }), (text) => {
      const json = plainLines(JSON.stringify({ text }));
      expect(JSON.parse(json)).toEqual({ text });
      expect(actsOnTerminal(Buffer.from(json))).toBeUndefined();
    }),
  );
});
