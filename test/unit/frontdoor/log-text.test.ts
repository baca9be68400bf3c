import { array, assert, constantFrom, nat, oneof, property, string, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { LogText } from '../../../src/frontdoor/show/log-text.ts';
import { actsOnTerminal } from '../../support/terminal.ts';

/** What comes out when the log comes in these pieces. */
function shown(...pieces: readonly (Uint8Array | string)[]): Buffer {
  const text = new LogText();
  const out = pieces.map((piece) => Buffer.from(text.add(Buffer.from(piece))));
  return Buffer.concat([...out, text.end()]);
}

test.each([
  ['plain text, new lines and tabs', 'a\tb\nč ✓ 🎉\n', 'a\tb\nč ✓ 🎉\n'],
  ['colours, which end with the log', 'a\u001b[01;31mred', 'a\u001b[01;31mred\u001b[0m'],
  ['colours that were ended', '\u001b[31mred\u001b[0m\u001b[m', '\u001b[31mred\u001b[0m\u001b[m'],
  ['colours of 256 and of all', '\u001b[38;5;200;48;2;1;2;3mx\u001b[m', '\u001b[38;5;200;48;2;1;2;3mx\u001b[m'],
  ['a return before a new line', 'a\r\nb\r\r\n', 'a\nb\\x0d\n'],
  ['a return that writes over the line', 'ok\rno', 'ok\\x0dno'],
  ['what hides and blinks', '\u001b[8mx\u001b[5m', '\\x1b[8mx\\x1b[5m'],
  ['what moves and clears', '\u001b[2J\u001b[H\u0007\b', '\\x1b[2J\\x1b[H\\x07\\x08'],
  ['what names the window', '\u001b]0;mine\u0007', '\\x1b]0;mine\\x07'],
  ['what makes the terminal answer', '\u001bP$q"p\u001b\\\u001b[6n\u001b[c', '\\x1bP$q"p\\x1b\\\\x1b[6n\\x1b[c'],
  ['C1, which are such sequences in one character', 'a\u009b31m\u009d0;x\u009c', 'a\\x9b31m\\x9d0;x\\x9c'],
  ['marks of direction', 'a\u202eb\u2066c\u061c', 'a\\u202eb\\u2066c\\u061c'],
  ['the begin of a sequence at the end', 'a\u001b[3', 'a\\x1b[3'],
  ['a return at the end', 'a\r', 'a\\x0d'],
  ['a colour that is too long to be one', `\u001b[${'1;'.repeat(40)}m`, `\\x1b[${'1;'.repeat(40)}m`],
])('%s', (_what, log, expected) => {
  expect(shown(log).toString()).toBe(expected);
});

test('bytes that are no UTF-8 are told as such, and hide nothing behind them', () => {
  expect(shown(Buffer.from([0xff, 0x9b, 0x32, 0x4a, 0xc2]), Buffer.from([0x1b, 0x63])).toString()).toBe(
    '\ufffd\ufffd2J\ufffd\\x1bc',
  );
});

const sequence = constantFrom(
  '\u001b',
  '\u001b[',
  '\u001b[31m',
  '\u001b]0;',
  '\u009b',
  '\r',
  '\r\n',
  '\n',
  'm',
  ';3',
  '\u202e',
  'č',
);
const log = array(oneof(uint8Array({ maxLength: 8 }), sequence, string({ unit: 'binary', maxLength: 8 }))).map(
  (parts) => Buffer.concat(parts.map((part) => Buffer.from(part))),
);

test('nothing that a terminal acts on comes out, wherever the log is cut into pieces', () => {
  assert(
    property(log, array(nat(200)), (bytes, cuts) => {
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const out = shown(...pieces);
      expect(actsOnTerminal(out, true)).toBeUndefined();
      expect(out.equals(shown(bytes))).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
