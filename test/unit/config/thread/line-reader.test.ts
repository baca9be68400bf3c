import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINE_CHARACTERS, LINE_MARK, LineReader } from '../../../../src/config/thread/line-reader.ts';
import { SEED } from '../../../support/seed.ts';

function read(pieces: readonly Uint8Array[]): readonly string[] {
  const reader = new LineReader();
  return [...pieces.flatMap((piece) => [...reader.add(piece)]), ...reader.end()];
}

/** Cut at these places, given as parts of the whole. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = places.map((place) => Math.floor(place * bytes.length)).toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

test.each<[string, string, readonly string[]]>([
  ['nothing', '', []],
  ['no end', 'a', ['a']],
  ['ends of both kinds', 'a\nb\r\n\r\n\nc\n', ['a', 'b', '', '', 'c']],
  ['a CR within a line', '10%\r20%\rdone\n', ['10%\r20%\rdone']],
  ['a CR that ends no line', 'a\r', ['a\r']],
  ['characters of several bytes', 'zwölf 🚂\nπ', ['zwölf 🚂', 'π']],
])('%s: the lines are without their ends', (_what, text, lines) => {
  expect(read([Buffer.from(text)])).toEqual(lines);
});

test('however the output is cut, the lines are the same', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    // Near the longest.
    fc
      .tuple(fc.integer({ min: -2, max: 3 }), fc.constantFrom('x', '🚂', 'é'))
      .map(([more, end]) => Buffer.from('y'.repeat(LINE_CHARACTERS + more - end.length) + end)),
  );
  const output = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r', '')), { maxLength: 6 })
    .map((lines) => Buffer.concat(lines.flatMap(([text, end]) => [text, Buffer.from(end)])));
  const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(output, places, (bytes, where) => {
      const whole = read([bytes]);
      expect(read(cut(bytes, where))).toEqual(whole);
      // Cut at every byte around the places where it matters.
      if (bytes.length < 200) expect(read(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
      const joined = whole.map((one) => (one.endsWith(LINE_MARK) ? one.slice(0, -LINE_MARK.length) : one)).join('');
      const text = bytes.toString('utf8');
      expect(joined).toBe(text.replaceAll(/\r?\n/g, ''));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('a line that is too long comes in pieces which say so, and halves no character', () => {
  const [first = '', second = '', third = '', ...more] = read([
    Buffer.from('x'.repeat(LINE_CHARACTERS - 1)),
    Buffer.from(`🚂${'y'.repeat(LINE_CHARACTERS)}\nnext`),
  ]);
  expect(first).toBe('x'.repeat(LINE_CHARACTERS - 1) + LINE_MARK);
  expect(second).toBe(`🚂${'y'.repeat(LINE_CHARACTERS - 2)}${LINE_MARK}`);
  expect(third).toBe('yy');
  expect(more).toEqual(['next']);
  expect(read([Buffer.from(`${'x'.repeat(LINE_CHARACTERS)}\r\n`)])).toEqual(['x'.repeat(LINE_CHARACTERS)]);
});
