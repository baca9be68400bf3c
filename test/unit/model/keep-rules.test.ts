import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Keeping } from '../../../src/model/keep-rules.ts';
import type { KeepRules, KeptBuild } from '../../../src/model/keep-rules.ts';

const DAY = 86_400_000;
const NOW = 1_000 * DAY;

const build = (id: number, more: Partial<KeptBuild> = {}): KeptBuild => ({
  id,
  builder: 'b',
  isGood: true,
  isNeeded: false,
  finishedAtMs: NOW - (100 - id) * DAY,
  hasLogs: true,
  logBytes: 10,
  hasArtifacts: false,
  artifactBytes: 0,
  ...more,
});

/** By id, for those that lose something. */
function losses(rules: KeepRules, builds: readonly KeptBuild[]): Readonly<Record<number, string>> {
  const keeping = new Keeping(rules, NOW);
  const lost = builds.toSorted((a, b) => b.id - a.id).map((one) => [one.id, keeping.lossesOf(one).join('+')] as const);
  return Object.fromEntries(lost.filter(([, what]) => what !== ''));
}

it('gives up what is older, beyond the number, or beyond the room', () => {
  const builds = [95, 96, 97, 98, 99].map((id) => build(id));
  expect(losses({}, builds)).toEqual({});
  expect(losses({ builds: { forMs: 2 * DAY } }, builds)).toEqual({ 95: 'build', 96: 'build', 97: 'build' });
  expect(losses({ logs: { last: 2 } }, builds)).toEqual({ 95: 'logs', 96: 'logs', 97: 'logs' });
  expect(losses({ logs: { maxBytes: 30 } }, builds)).toEqual({ 95: 'logs', 96: 'logs' });
  // What is not there any more is not deleted again.
  expect(losses({ logs: { last: 2 } }, [build(95, { hasLogs: false }), ...builds.slice(3)])).toEqual({});
});

it('leaves the newest build of each builder and its newest good one alone, however old', () => {
  const old = [
    build(1),
    build(2),
    build(3, { isGood: false }),
    build(4, { builder: 'c', isGood: false }),
    build(5, { builder: 'd' }),
  ];
  const rules = { builds: { forMs: DAY, last: 1 }, logs: { forMs: DAY, maxBytes: 1 } };
  expect(losses(rules, old)).toEqual({ 1: 'build' });
});

it('leaves alone what is needed, which takes its room and its place all the same', () => {
  const builds = [95, 96, 97, 98, 99].map((id) => build(id, { isNeeded: id === 96 }));
  expect(losses({ builds: { last: 2 } }, builds)).toEqual({ 95: 'build', 97: 'build' });
  expect(losses({ logs: { maxBytes: 30 } }, builds)).toEqual({ 95: 'logs' });
});

it('counts no room for a build that goes', () => {
  const ofC = [94, 95, 99].map((id) => build(id, { builder: 'c' }));
  const builds = [...ofC, build(96, { logBytes: 500 }), build(97), build(98)];
  expect(losses({ builds: { last: 2 }, logs: { maxBytes: 60 } }, builds)).toEqual({ 94: 'build', 96: 'build' });
});

it('keeps a small log behind a large one that found no room', () => {
  const builds = [build(95, { logBytes: 5 }), build(96, { logBytes: 500 }), build(97), build(98)];
  expect(losses({ logs: { maxBytes: 40 } }, builds)).toEqual({ 96: 'logs' });
});

it('is exact for any builds and rules', () => {
  const rule = fc.record(
    { forMs: fc.integer({ min: 0, max: 30 * DAY }), last: fc.integer({ min: 1, max: 6 }) },
    { requiredKeys: [] },
  );
  const some = fc.array(
    fc.record({
      builder: fc.constantFrom('b', 'c'),
      isGood: fc.boolean(),
      age: fc.integer({ min: 0, max: 40 * DAY }),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(some, rule, rule, (given, builds, logs) => {
      const all = given.map(({ age, ...one }, index) => build(index + 1, { ...one, finishedAtMs: NOW - age }));
      const lost = losses({ builds, logs }, all);
      for (const one of all) {
        const newer = all.filter(({ id, builder }) => builder === one.builder && id > one.id);
        const isSafe = newer.length === 0 || (one.isGood && !newer.some(({ isGood }) => isGood));
        const isBeyond = ({ forMs = Infinity, last = Infinity }: typeof builds): boolean =>
          NOW - one.finishedAtMs > forMs || newer.length >= last;
        const expected = isSafe ? undefined : isBeyond(builds) ? 'build' : isBeyond(logs) ? 'logs' : undefined;
        expect([one.id, lost[one.id]]).toEqual([one.id, expected]);
      }
    }),
  );
});
