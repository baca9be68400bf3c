import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandState } from '../../../src/protocol/messages.ts';
import { planSending, receiveChunk, reviewCommand } from '../../../src/protocol/resume.ts';
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

function run(steps: readonly Step[]): ResumeModel {
  const model = new ResumeModel();
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
          if (byte === undefined) expect(offset).toBeLessThan(worker.start);
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
    expect(planSending({ outputStart: 10 }, 4)).toEqual({ hole: { offset: 4, length: 6 }, from: 10 });
    expect(planSending({ outputStart: 10 }, 10)).toEqual({ from: 10 });
    expect(planSending({ outputStart: 10 }, 99)).toEqual({ from: 99 });
  });
});
