import { expect, test } from 'vitest';
import { judgeWorker } from '../../../src/model/trouble.ts';
import type { TroubleKind, WorkerSight } from '../../../src/model/trouble.ts';

const MIN = 60_000;
const RULES = { missingAfterMs: 60 * MIN, flapping: { connections: 2, withinMs: 10 * MIN }, fullAfterMs: 5 * MIN };
const HERE: WorkerSight = {
  isConfigured: true,
  isHeld: false,
  isHere: true,
  masterUpMs: 1e9,
  connectedAgoMs: [],
};
const AWAY: WorkerSight = { ...HERE, isHere: false, awayMs: 60 * MIN };

const begun = (sight: WorkerSight, ...open: TroubleKind[]): unknown => judgeWorker(sight, RULES, new Set(open)).begins;
const ended = (sight: WorkerSight, ...open: TroubleKind[]): unknown => judgeWorker(sight, RULES, new Set(open)).ends;
const due = (sight: WorkerSight, ...open: TroubleKind[]): number => judgeWorker(sight, RULES, new Set(open)).dueInMs;

test('one that is away for long is missing, once, until it is back', () => {
  expect(begun({ ...AWAY, awayMs: 60 * MIN - 1 })).toEqual([]);
  expect(due({ ...AWAY, awayMs: 60 * MIN - 1 })).toBe(1);
  expect(begun(AWAY)).toEqual([{ kind: 'missing', agoMs: 60 * MIN }]);
  expect(begun(AWAY, 'missing')).toEqual([]);
  expect(ended(AWAY, 'missing')).toEqual([]);
  expect(ended(HERE, 'missing')).toEqual([{ kind: 'missing', why: 'better' }]);
});

test('nobody is missing who is held, unknown, or had no time to come since the master began', () => {
  expect(begun({ ...AWAY, isHeld: true })).toEqual([]);
  expect(ended({ ...AWAY, isHeld: true }, 'missing')).toEqual([{ kind: 'missing', why: 'held' }]);
  const { awayMs: _awayMs, ...neverHere } = AWAY;
  expect(begun(neverHere)).toEqual([]);
  expect(begun({ ...AWAY, isConfigured: false })).toEqual([]);
  expect(due({ ...AWAY, isConfigured: false })).toBe(Infinity);
  expect(begun({ ...AWAY, masterUpMs: MIN })).toEqual([]);
  expect(due({ ...AWAY, masterUpMs: MIN })).toBe(MIN);
});

test('many connections within the window are flapping, and a calm window ends it', () => {
  const ages = [MIN, 2 * MIN, 9 * MIN];
  expect(begun({ ...HERE, connectedAgoMs: ages })).toEqual([{ kind: 'flapping', agoMs: 9 * MIN }]);
  expect(begun({ ...HERE, connectedAgoMs: [MIN, 2 * MIN, 10 * MIN] })).toEqual([]);
  const calmer = { ...HERE, connectedAgoMs: [4 * MIN] };
  expect(ended(calmer, 'flapping')).toEqual([]);
  expect(due(calmer, 'flapping')).toBe(6 * MIN);
  expect(ended({ ...HERE, connectedAgoMs: [10 * MIN] }, 'flapping')).toEqual([{ kind: 'flapping', why: 'better' }]);
});

test('one without room for long is full, and the end waits as long', () => {
  const room = (isFull: boolean, forMs: number): WorkerSight => ({ ...HERE, room: { isFull, forMs } });
  expect(due(room(true, MIN))).toBe(4 * MIN);
  expect(begun(room(true, 5 * MIN))).toEqual([{ kind: 'full', agoMs: 5 * MIN }]);
  expect(ended(room(false, MIN), 'full')).toEqual([]);
  expect(due(room(false, MIN), 'full')).toBe(4 * MIN);
  expect(ended(room(false, 5 * MIN), 'full')).toEqual([{ kind: 'full', why: 'better' }]);
  expect(ended(AWAY, 'full')).toEqual([]);
});

test('a trouble of what leaves the configuration ends', () => {
  const kinds: readonly TroubleKind[] = ['missing', 'flapping', 'full'];
  const why = 'unconfigured';
  expect(ended({ ...AWAY, isConfigured: false }, ...kinds)).toEqual(kinds.map((kind) => ({ kind, why })));
});
