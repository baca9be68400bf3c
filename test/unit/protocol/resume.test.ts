import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandState } from '../../../src/protocol/messages.ts';
import { planSending, receiveChunk, reviewCommand } from '../../../src/protocol/resume.ts';
import type { HeldOutput, LogCap } from '../../../src/protocol/resume.ts';
import { ResumeModel, byteAt } from './resume-model.ts';

type Step = (model: ResumeModel) => void;
const count = fc.integer({ min: 1, max: 60 });
const always = (weight: number, step: Step): { weight: number; arbitrary: fc.Arbitrary<Step> } => ({
  weight,
  arbitrary: fc.constant(step),
});

const usual = [
  {
    weight: 6,
    arbitrary: count.map(
      (n): Step =>
        (model) =>
          model.write(n),
    ),
  },
  {
    weight: 8,
    arbitrary: count.map(
      (n): Step =>
        (model) =>
          model.send(n),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.boolean().map(
      (twice): Step =>
        (model) =>
          model.deliverToMaster(twice),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.boolean().map(
      (twice): Step =>
        (model) =>
          model.deliverToWorker(twice),
    ),
  },
  always(2, (model) => model.sync()),
  always(2, (model) => model.reconnect()),
];
const disasters = [
  always(1, (model) => model.losePower()),
  always(1, (model) => model.backUp()),
  always(2, (model) => model.putBack()),
];

function run(steps: readonly Step[], cap?: LogCap): ResumeModel {
  const model = new ResumeModel(cap);
  for (const step of steps) step(model);
  expect(model.settle()).toBe(true);
  return model;
}

describe('a log over a line that is cut at any moment', () => {
  it('ends with each byte of the process once, in its place', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...usual), { maxLength: 200, size: 'max' }), (steps) => {
        const { master, worker, shortMarks } = run(steps);
        expect(master.log).toEqual(Array.from({ length: worker.end }, (_, i) => byteAt(i)));
        expect(shortMarks).toEqual([]);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('ends with each byte once or an explicit mark, also over power losses and a database that went back', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...usual, ...disasters), { maxLength: 200, size: 'max' }), (steps) => {
        const { master, worker, shortMarks, powerLosses } = run(steps);
        master.log.forEach((byte, offset) => {
          // A lost byte is one that the worker had been told to be stored, and dropped.
          if (typeof byte === 'string') expect(offset).toBeLessThan(worker.start);
          else expect(byte).toBe(byteAt(offset));
        });
        expect(master.log.length).toBeGreaterThanOrEqual(worker.end);
        // The master is ahead of the worker only by a power loss, and then it says so, with the count that adds up.
        if (master.log.length > worker.end) {
          expect(powerLosses).toBeGreaterThan(0);
          const last = shortMarks.at(-1)!;
          expect(last.at - last.bytes).toBe(worker.end);
          expect(last.at).toBe(master.log.length);
        }
      }),
      { seed: 12, numRuns: 500 },
    );
  });
});

describe('a log with a limit over a line that is cut at any moment', () => {
  const cap = fc.record({ headBytes: fc.integer({ min: 0, max: 400 }), tailBytes: fc.integer({ min: 0, max: 200 }) });

  it('ends with its head and its tail, and the exact count of what was left out between', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...usual), { maxLength: 200, size: 'max' }), cap, (steps, limit) => {
        const { master, worker, shortMarks, toldLeftOut } = run(steps, limit);
        const tailStart = Math.max(limit.headBytes, worker.end - limit.tailBytes);
        const isLeftOut = (offset: number): boolean => offset >= limit.headBytes && offset < tailStart;
        expect(master.log).toEqual(Array.from({ length: worker.end }, (_, i) => (isLeftOut(i) ? 'limit' : byteAt(i))));
        const leftOut = Math.max(0, Math.min(tailStart, worker.end) - limit.headBytes);
        expect(toldLeftOut ?? 0).toBe(leftOut);
        expect(shortMarks).toEqual([]);
      }),
      { seed: 13, numRuns: 500 },
    );
  });

  it('ends, with no byte in a wrong place, also over power losses and a database that went back', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...usual, ...disasters), { maxLength: 200, size: 'max' }), cap, (steps, limit) => {
        const { master, worker } = run(steps, limit);
        master.log.forEach((byte, offset) => {
          if (byte === 'limit') expect(offset).toBeGreaterThanOrEqual(limit.headBytes);
          else if (typeof byte === 'number') expect(byte).toBe(byteAt(offset));
        });
        expect(master.log.length).toBeGreaterThanOrEqual(worker.end);
      }),
      { seed: 14, numRuns: 500 },
    );
  });

  it('tells of the limit as soon as it is sure that something is left out, the same each time', () => {
    const held = (outputEnd: number, state: 'running' | 'finished' = 'running', outputStart = 0): HeldOutput => ({
      state,
      outputStart,
      outputEnd,
      cap: { headBytes: 100, tailBytes: 50, heldFrom: Math.max(100, outputEnd - 50) },
    });
    const notice = { hole: { offset: 100, length: 1, reason: 'limit', keepsBytes: 50 } };
    expect(planSending(held(300), 10)).toEqual({ to: 100 });
    expect(planSending(held(151), 100)).toEqual({ to: 100 });
    expect(planSending(held(152), 100)).toEqual(notice);
    expect(planSending(held(900, 'finished'), 100)).toEqual(notice);
    expect(planSending(held(900), 101)).toEqual({ to: 101 });
    const rest = (offset: number, length: number, leftOutBytes: number): unknown => ({
      hole: { offset, length, reason: 'limit', leftOutBytes },
    });
    expect(planSending(held(900, 'finished'), 101)).toEqual(rest(101, 749, 750));
    expect(planSending(held(151, 'finished'), 100)).toEqual(rest(100, 1, 1));
    expect(planSending(held(150, 'finished'), 100)).toEqual({ to: 150 });
    expect(planSending(held(900, 'finished'), 850)).toEqual({ to: 900 });
    const lost = { hole: { offset: 10, length: 90, reason: 'lost' } };
    expect(planSending(held(900, 'finished', 100), 10)).toEqual(lost);
  });
});

describe('a command in an inventory', () => {
  const state = (outputStart: number, outputEnd: number, fence = 3): CommandState => ({
    command: 'c',
    session: 's',
    fence,
    state: 'running',
    outputStart,
    outputEnd,
  });
  const stored = { isKnown: true, isFinished: false, fence: 4, storedEnd: 100 };

  it('is forgotten when no build waits for it or its outcome is stored', () => {
    const forget = { action: 'forget', verdict: { command: 'c', verdict: 'forget' } };
    expect(reviewCommand(undefined, state(0, 9))).toEqual(forget);
    expect(reviewCommand({ ...stored, isKnown: false }, state(0, 9))).toEqual(forget);
    expect(reviewCommand({ ...stored, isFinished: true }, state(0, 9))).toEqual(forget);
  });

  it('goes on from what is stored, under the present fence', () => {
    const verdict = { command: 'c', verdict: 'continue', fence: 4, from: 100 };
    expect(reviewCommand(stored, state(50, 200))).toEqual({ action: 'continue', verdict });
    expect(reviewCommand(stored, state(100, 100))).toEqual({ action: 'continue', verdict });
    expect(reviewCommand(stored, state(0, 70))).toMatchObject({ verdict, workerShort: { at: 100, bytes: 30 } });
    expect(reviewCommand(stored, state(130, 200))).toMatchObject({
      verdict,
      expectedHole: { offset: 100, length: 30 },
    });
  });

  it('wants a higher fence first when the worker has seen a later owner', () => {
    expect(reviewCommand(stored, state(0, 9, 7))).toEqual({ action: 'raise-fence', above: 7 });
  });
});

describe('one chunk', () => {
  it('is stored, known, asked for once, or passed over', () => {
    const at = (offset: number, length: number, wantedAt?: number): string =>
      receiveChunk({ storedEnd: 10, wantedAt }, { offset, length }).action;
    expect([at(10, 5), at(0, 10), at(5, 5)]).toEqual(['store', 'known', 'known']);
    expect([at(5, 6), at(11, 1)]).toEqual(['want', 'want']);
    expect([at(5, 6, 10), at(11, 1, 10), at(10, 1, 10)]).toEqual(['ignore', 'ignore', 'store']);
    expect(at(11, 1, 4)).toBe('want');
  });

  it('is preceded by a hole when the worker does not hold what is asked', () => {
    const held = { state: 'running', outputStart: 10, outputEnd: 50 } as const;
    expect(planSending(held, 4)).toEqual({ hole: { offset: 4, length: 6, reason: 'lost' } });
    expect(planSending(held, 10)).toEqual({ to: 50 });
    expect(planSending(held, 99)).toEqual({ to: 99 });
  });
});
