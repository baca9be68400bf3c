import * as fc from 'fast-check';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { Fields } from '../../../src/protocol/messages.ts';

export const anId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/);
export const anOffset = fc.oneof(fc.nat(), fc.maxSafeNat());
/** Maps are made without the key `__proto__`, which the wire refuses and JavaScript treats specially. */
export const aKey = fc
  .oneof(fc.string({ maxLength: 20 }), fc.constantFrom('constructor', 'toString', 'hasOwnProperty', 'toJSON', 'length'))
  .filter((key) => key !== '__proto__');
/** Without lone surrogates, which UTF-8 cannot carry. */
const someText = fc.string({ unit: 'grapheme', maxLength: 50 });

export const aLogFrame: fc.Arbitrary<Fields<'log.append'>> = fc.record({
  command: anId,
  fence: fc.integer({ min: 1 }),
  offset: anOffset,
  length: fc.integer({ min: 1, max: LIMITS.chunkBytes }),
  atMs: anOffset,
  lines: fc.nat({ max: LIMITS.chunkBytes }),
  codec: fc.constantFrom('raw' as const, 'gzip' as const),
  size: fc.integer({ min: 1, max: LIMITS.chunkBytes }),
  position: fc.nat({ max: LIMITS.chunkBytes }),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(0, 255, 256, 31_999, 32_000).map((length) => new Uint8Array(length).fill(7)),
  ),
});

export const aStart: fc.Arbitrary<Fields<'command.start'>> = fc.record({
  command: anId,
  fence: fc.integer({ min: 1 }),
  spec: fc.record({
    kind: fc.constant('run' as const),
    argv: fc.array(someText, { maxLength: 5 }),
    env: fc.dictionary(aKey, someText, { maxKeys: 5 }),
    stdin: fc.uint8Array({ maxLength: 100 }),
    totalMs: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  }),
});
