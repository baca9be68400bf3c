import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { WorkerSights } from '../../../../src/master/troubles/worker-sights.ts';

const NOW = { isConfigured: true, isHere: false, full: undefined, connectedAgoMs: [] };
const HOUR = 3_600_000;

test('what has passed is measured: a step of the wall clock makes nobody away for longer', () => {
  const clock = new FakeClock();
  const sights = new WorkerSights(clock);
  const record = { name: 'w', facts: {}, epoch: 1, isConnected: false, sinceMs: clock.now() - HOUR };
  expect(sights.see('w', record, NOW).awayMs).toBe(HOUR);
  clock.advance(1_000);
  clock.stepWall(24 * HOUR);
  expect(sights.see('w', record, NOW)).toMatchObject({ awayMs: HOUR + 1_000, masterUpMs: 1_000 });
  clock.stepWall(-48 * HOUR);
  expect(sights.see('w', record, NOW).awayMs).toBe(HOUR + 1_000);
  expect(sights.see('w', record, { ...NOW, isHere: true })).not.toHaveProperty('awayMs');
  expect(sights.see('w', undefined, NOW)).not.toHaveProperty('awayMs');
});

test('room counts from when it was first told, and anew when that changes or the worker goes', () => {
  const clock = new FakeClock();
  const sights = new WorkerSights(clock);
  const see = (full: string | undefined, isHere = true) => sights.see('w', undefined, { ...NOW, isHere, full }).room;
  expect(see(undefined)).toBeUndefined();
  expect(see('no room')).toEqual({ isFull: true, forMs: 0 });
  clock.advance(10);
  expect(see('still none')).toEqual({ isFull: true, forMs: 10 });
  expect(see('')).toEqual({ isFull: false, forMs: 0 });
  clock.advance(10);
  expect(see('', false)).toBeUndefined();
  expect(see('')).toEqual({ isFull: false, forMs: 0 });
  clock.advance(10);
  sights.keepOnly(new Set());
  expect(see('')).toEqual({ isFull: false, forMs: 0 });
});
