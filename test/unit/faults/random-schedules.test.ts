import { expect, test } from 'vitest';
import { SEED } from '../../support/seed.ts';
import { Schedule } from './schedule.ts';

/** The full count is 2000. `TRUNKLINE_SEED` is the first one's seed, so that a failed one can be run alone. */
const SCHEDULES = Number(process.env['TRUNKLINE_SCHEDULES'] ?? 25);

test(
  'whatever befalls the line and both daemons, commands run once and no byte is lost',
  { timeout: 7_200_000 },
  async () => {
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      const { wrong, story } = await Schedule.run(seed);
      const told = wrong.length === 0 ? [] : story;
      expect({ seed, wrong, told }).toEqual({ seed, wrong: [], told: [] });
    }
  },
);
