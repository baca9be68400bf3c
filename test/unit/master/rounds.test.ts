import { afterEach, beforeEach, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { Rounds } from '../../../src/master/rounds.ts';
import { recordingLogger } from '../config/try-config.ts';
import { until } from '../../support/until.ts';

let clock: FakeClock;
let count: number;
let work: () => Promise<void>;
let rounds: Rounds;
const logger = recordingLogger();

beforeEach(() => {
  clock = new FakeClock();
  count = 0;
  work = () => Promise.resolve();
  const round = (): Promise<void> => {
    count += 1;
    return work();
  };
  rounds = new Rounds({ clock, logger, failed: 'it could not be seen to', round });
});
afterEach(async () => {
  await rounds.close();
  expect(clock.pending).toBe(0);
});

/** The rounds so far are over, and the next one is a matter of time. */
const rest = (): Promise<unknown> => until('no round is under way', () => clock.pending === 1);

test('what nobody gave a signal of is seen half a minute later', async () => {
  rounds.wake();
  await rest();
  clock.advance(29_999);
  expect(count).toBe(1);
  clock.advance(1);
  await rest();
  expect(count).toBe(2);
});

test('signals that come in the middle of a round make one more, which reads what they are of', async () => {
  const first = deferred();
  work = () => first.promise;
  rounds.wake();
  for (let n = 0; n < 3; n++) rounds.wake();
  expect(count).toBe(1);
  first.resolve();
  await rest();
  expect(count).toBe(2);
});

test('a round that fails is told, and made again', async () => {
  work = () => Promise.reject(new Error('the disk is full'));
  rounds.wake();
  await rest();
  expect(logger.lines).toEqual([expect.stringContaining('it could not be seen to')]);
  clock.advance(30_000);
  await rest();
  expect(count).toBe(2);
});
