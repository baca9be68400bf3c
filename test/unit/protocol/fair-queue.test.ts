import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../../src/protocol/fair-queue.ts';
import type { QueuedFrame } from '../../../src/protocol/fair-queue.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { Lane } from '../../../src/protocol/messages.ts';

const LANES: readonly Lane[] = ['control', 'ack', 'log', 'bulk'];
const MAX_FRAME = 32 * 1024;

type Op =
  | { readonly do: 'push'; readonly lane: Lane; readonly session: string; readonly size: number }
  | { readonly do: 'pop' }
  | { readonly do: 'drop'; readonly session: string };

const session = fc.constantFrom('', 'a', 'b', 'c');
const push = fc.record({
  do: fc.constant('push' as const),
  lane: fc.constantFrom(...LANES),
  session,
  size: fc.integer({ min: 1, max: MAX_FRAME }),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: push },
  { weight: 3, arbitrary: fc.constant({ do: 'pop' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), session }) },
);

const sum = (frames: readonly { readonly frame: Uint8Array }[]): number =>
  frames.reduce((bytes, { frame }) => bytes + frame.byteLength, 0);

describe('the fair queue', () => {
  it('keeps order within a session and lane, sends higher lanes first, and counts what waits', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
        const queue = new FairQueue();
        let model: QueuedFrame[] = [];
        for (const op of ops) {
          if (op.do === 'push') {
            const frame = new Uint8Array(op.size);
            queue.push(op.lane, op.session, frame);
            model.push({ lane: op.lane, session: op.session, frame });
          } else if (op.do === 'drop') {
            queue.drop(op.session);
            model = model.filter((entry) => entry.session !== op.session);
          } else {
            const popped = queue.pop();
            const lane = LANES.find((lane) => model.some((entry) => entry.lane === lane));
            expect(popped?.lane).toBe(lane);
            if (!popped) continue;
            const firstOfFlow = model.find((entry) =>
              popped.lane === 'log' || popped.lane === 'bulk'
                ? entry.lane === popped.lane && entry.session === popped.session
                : entry.lane === popped.lane,
            );
            expect(popped.frame).toBe(firstOfFlow?.frame);
            model.splice(model.indexOf(firstOfFlow!), 1);
          }
          expect(queue.totalBytes).toBe(sum(model));
          for (const lane of LANES) {
            const waiting = model.filter((entry) => entry.lane === lane && entry.session === 'a');
            expect(queue.bytes('a', lane)).toBe(sum(waiting));
          }
        }
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('gives busy sessions equal shares whatever the size of their frames, and starves none', () => {
    const sizes = fc.array(fc.integer({ min: 100, max: MAX_FRAME }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(sizes, (sizes) => {
        const queue = new FairQueue();
        const each = 40 * MAX_FRAME;
        sizes.forEach((size, i) => {
          const frame = new Uint8Array(size);
          for (let bytes = 0; bytes < each; bytes += size) queue.push('log', `s${i}`, frame);
        });
        const sent = sizes.map(() => 0);
        // As long as all have something to send: half of what each put in.
        while (Math.max(...sent) < each / 2) {
          const popped = queue.pop()!;
          sent[Number(popped.session.slice(1))]! += popped.frame.byteLength;
          // Deficit round robin's bound: never further apart than two quanta and a frame.
          const apart = Math.max(...sent) - Math.min(...sent);
          expect(apart).toBeLessThanOrEqual(2 * LIMITS.fairQuantumBytes + MAX_FRAME);
        }
      }),
      { seed: 8, numRuns: 10 },
    );
  });

  it('sends a frame larger than the quantum in the end, and lets others go before', () => {
    const queue = new FairQueue(100);
    queue.push('bulk', 'big', new Uint8Array(250));
    queue.push('bulk', 'small', new Uint8Array(50));
    expect([queue.pop()?.session, queue.pop()?.session, queue.pop()]).toEqual(['small', 'big', undefined]);
  });

  it('does not let a session that was idle save up turns', () => {
    const queue = new FairQueue(100);
    queue.push('log', 'a', new Uint8Array(10));
    queue.pop();
    for (let i = 0; i < 4; i++) {
      queue.push('log', 'a', new Uint8Array(100));
      queue.push('log', 'b', new Uint8Array(100));
    }
    expect([1, 2, 3, 4].map(() => queue.pop()?.session)).toEqual(['a', 'b', 'a', 'b']);
  });

  it('sends nothing of a dropped session, and serves it afresh', () => {
    const queue = new FairQueue();
    for (const lane of LANES) queue.push(lane, 'a', new Uint8Array(5));
    queue.drop('a');
    queue.push('log', 'a', new Uint8Array(6));
    expect(queue.totalBytes).toBe(6);
    expect(queue.pop()?.frame.byteLength).toBe(6);
    expect(queue.pop()).toBeUndefined();
  });
});
