import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';
import { figuresOf } from '../support/process-figures.ts';
import type { ProcessFigures } from '../support/process-figures.ts';
import { SEED, seeded } from '../support/seed.ts';

const MiB = 1024 * 1024;
/** `TRUNKLINE_LONG_LOG_KILLS=100 TRUNKLINE_LONG_LOG_MIB=1024` is the whole of it. */
const KILLS = Number(process.env['TRUNKLINE_LONG_LOG_KILLS'] ?? 5);
const LOG_BYTES = Number(process.env['TRUNKLINE_LONG_LOG_MIB'] ?? 40) * MiB;
/** So that the log takes as long as the kills. */
const PACE = 4 * MiB;
const HOURS = 4 * 3_600_000;
/** While it starts, and a while after its worker is back. */
const START_MS = 2_000;
const AFTER_MS = 400;
/** A worker whose memory grew with the kills or with the log would be beyond this at the full count. */
const GROWTH_MIB = 64;

let build: LongBuild;
beforeAll(async () => {
  build = await LongBuild.create({ bytes: LOG_BYTES, bytesPerSecond: PACE, stepOptions: `{ logLimit: '64GB' }` });
  await build.begin();
});
afterAll(() => build.close());

async function figures(): Promise<Record<'worker' | 'keeper', ProcessFigures>> {
  return { worker: await figuresOf(build.worker.process.pid ?? 0), keeper: await figuresOf(await build.keeperPid()) };
}

test(
  `the master is killed at ${KILLS} random moments of one log (seed ${SEED})`,
  async () => {
    const begin = performance.now();
    const random = seeded(SEED);
    let before: Awaited<ReturnType<typeof figures>> | undefined;
    for (let kill = 0; kill < KILLS; kill++) {
      // Every fourth comes wherever the start has got to, the others while the log streams.
      if (kill % 4 === 3) await sleep(random() * START_MS);
      else {
        await build.storesMore();
        await sleep(random() * AFTER_MS);
      }
      await build.master.end('SIGKILL');
      await build.startMaster();
      // The first line after a kill has warmed up what the later ones use.
      if (kill === 1) before = await connectedFigures();
    }
    const after = await connectedFigures();
    const view = await build.endsWell(HOURS);
    expect(view.steps[1]?.logs[0]?.length).toBeGreaterThanOrEqual(LOG_BYTES);
    const took = Math.round((performance.now() - begin) / 1_000);
    const told = `${KILLS} kills in ${await build.printed()} bytes of log and ${took} s, seed ${SEED}: ${JSON.stringify({ before, after })}`;
    if (KILLS > 5) process.stdout.write(`${told}\n`);
    for (const one of ['worker', 'keeper'] as const) {
      expect(after[one].descriptors, told).toBeLessThanOrEqual(before?.[one].descriptors ?? 0);
      expect(after[one].residentMiB, told).toBeLessThan((before?.[one].residentMiB ?? 0) + GROWTH_MIB);
    }
  },
  HOURS,
);

/** With a line to the master, and the log flowing. */
async function connectedFigures(): Promise<Awaited<ReturnType<typeof figures>>> {
  await build.storesMore();
  let last = await figures();
  // A file that is being read, a segment that is being deleted: it is the least of a few looks that tells.
  for (let look = 0; look < 5; look++) {
    await sleep(100);
    const now = await figures();
    if (now.worker.descriptors + now.keeper.descriptors < last.worker.descriptors + last.keeper.descriptors) last = now;
  }
  return last;
}
