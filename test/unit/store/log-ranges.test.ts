import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { chunkOf, hole, noise, readAll } from '../../support/log-chunks.ts';
import { claimedBuild, emptyLog, TempStore } from '../../support/temp-store.ts';
import { sealed } from '../../support/sealed.ts';

let temp: TempStore;
let store: Store;
beforeAll(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  await claimedBuild(store);
});
afterAll(() => temp.remove());

const part = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('raw' as const, 'gzip' as const),
      // Around the borders of what is kept, joined and allowed.
      length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(65_535, 65_536, 65_537, 200_000, 262_144)),
      seal: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('hole' as const, 'cut' as const),
      length: fc.integer({ min: 1, max: 400_000 }),
      seal: fc.boolean(),
    }),
  },
);

let made = 0;

it('gives any range of a log as it was, wherever its parts lie', async () => {
  const scenario = fc.record({
    parts: fc.array(part, { minLength: 1, maxLength: 8 }),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    ranges: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: 3,
      maxLength: 6,
    }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ parts, seed, ranges }) => {
      const log = await emptyLog(store, `ranges-${made++}`);
      // What a reader sees of [from, to), byte by byte where bytes are, and the holes with their borders.
      const spans: Span[] = [];
      let length = 0;
      for (const { kind, length: size, seal } of parts) {
        const span = { offset: length, length: size };
        if (kind === 'hole') {
          await store.logs.append(log.id, hole(length, size));
          spans.push(span);
        } else if (kind === 'cut') {
          const text = Buffer.from(`[${size} left out]\n`);
          await store.logs.append(log.id, { ...hole(length, size), codec: 'cut', body: text });
          spans.push({ ...span, text });
        } else {
          const bytes = noise(size, seed + length);
          await store.logs.append(log.id, chunkOf(bytes, length, kind));
          spans.push({ ...span, bytes });
        }
        length += size;
        if (seal) await sealed(temp, log.id, length);
      }
      expect(await store.logs.find(log.id)).toMatchObject({ length });
      for (const [a, b] of [[0, 1] as const, ...ranges]) {
        const from = Math.floor(Math.min(a, b) * length);
        const to = Math.ceil(Math.max(a, b) * length);
        const got = await readAll(store, log.id, from, to);
        expect(got.equals(expected(spans, from, to))).toBe(true);
      }
    }),
    { numRuns: 25, seed: 20_261_121 },
  );
}, 300_000);

/** With `bytes` stored, with `text` cut, without either a hole. */
interface Span {
  readonly offset: number;
  readonly length: number;
  readonly bytes?: Uint8Array;
  readonly text?: Uint8Array;
}

function expected(spans: readonly Span[], from: number, to: number): Buffer {
  const pieces: Uint8Array[] = [];
  for (const { offset, length, bytes, text } of spans) {
    const start = Math.max(from, offset);
    const end = Math.min(to, offset + length);
    if (start >= end) continue;
    if (bytes) pieces.push(bytes.subarray(start - offset, end - offset));
    else if (text) pieces.push(text);
    else
      pieces.push(Buffer.from(`\n[trunkline: ${end - start} bytes were lost here: the worker no longer held them]\n`));
  }
  return Buffer.concat(pieces);
}
