import { afterEach, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { LinkRefused } from '../../../src/transport/link-refused.ts';
import type { Link, LinkEnd } from '../../../src/transport/link.ts';
import { keepConnected } from '../../../src/worker/link/link-loop.ts';

type Round = Error | { readonly end: LinkEnd; readonly wasGood: boolean };

let abort = new AbortController();
afterEach(() => abort.abort());

/** Plays the rounds, at the latest possible times, and returns how long the loop waited after each. */
async function waits(rounds: readonly Round[], needsPerson = false): Promise<{ waited: number[]; told: string[] }> {
  abort = new AbortController();
  const clock = new FakeClock();
  const waited: number[] = [];
  const told: string[] = [];
  const played = deferred();
  let round = 0;
  const loop = keepConnected({
    open: async () => {
      const next = rounds[round];
      if (!next) {
        abort.abort();
        played.resolve();
        throw new Error('it is over');
      }
      if (next instanceof Error) {
        round++;
        throw next;
      }
      return await Promise.resolve({ peer: 'master' } as Link);
    },
    serve: async () => await Promise.resolve(rounds[round++] as Exclude<Round, Error>),
    needsPerson: () => needsPerson,
    explain: (error) => String(error),
    onWaiting: (waitMs) => {
      waited.push(waitMs);
      // The timer is set in this turn of the loop, after this call.
      setImmediate(() => clock.advance(waitMs));
    },
    clock,
    logger: { ...silentLogger, warn: (message) => told.push(message) },
    signal: abort.signal,
    random: () => 1,
  });
  await played.promise;
  await loop;
  return { waited: waited.slice(0, rounds.length), told };
}

const lost = { cause: 'lost', message: 'gone' } as const;

test('tries are spread over times that grow to 30 s, and trouble is told once', async () => {
  const { waited, told } = await waits(Array.from({ length: 9 }, () => new Error('no route')));
  expect(waited).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(told).toEqual(['Error: no route']);
});

test('after a good link the next try is soon again; a link that was of no use counts as a failure', async () => {
  const bad = { end: lost, wasGood: false };
  const { waited } = await waits([bad, bad, { end: lost, wasGood: true }, bad]);
  expect(waited).toEqual([500, 1_000, 500, 1_000]);
});

test('where a person has to act it tries more slowly', async () => {
  const { waited } = await waits(
    Array.from({ length: 6 }, () => new Error('refused')),
    true,
  );
  expect(waited).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('a master that names a time is obeyed, up to an hour', async () => {
  const { waited } = await waits([
    { end: { cause: 'goodbye', message: 'drain', code: 'drain', retryAfterMs: 8_000 }, wasGood: true },
    new LinkRefused('overloaded', 'later', 60_000),
    new LinkRefused('overloaded', 'never', Number.MAX_SAFE_INTEGER),
  ]);
  expect(waited).toEqual([8_000, 60_000, 3_600_000]);
});
