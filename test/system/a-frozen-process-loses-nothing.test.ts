import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BACK_MS, LongBuild } from '../support/long-build.ts';
import { figuresOf } from '../support/process-figures.ts';
import { until } from '../support/until.ts';

/** Longer than a silent peer is waited for: three heartbeats. `TRUNKLINE_FREEZE_SECONDS=90` is with the default one of 15 s. */
const LONG = process.env['TRUNKLINE_FREEZE_SECONDS'];
const FREEZE_SECONDS = Number(LONG ?? 4);
const MASTER_OPTIONS = LONG === undefined ? `heartbeat: '1s',` : '';
const HOUR = 3_600_000;
/** A freeze is longer than the command may be silent: that time is not held against it. */
const STEP_OPTIONS = `{ timeout: '${Math.max(1, FREEZE_SECONDS - 2)}s' }`;

let build: LongBuild;
beforeAll(async () => {
  build = await LongBuild.create({ bytesPerSecond: 200_000, stepOptions: STEP_OPTIONS, masterOptions: MASTER_OPTIONS });
  await build.begin();
});
afterAll(() => build.close());

const VICTIMS = [['master'], ['worker'], ['keeper'], ['master', 'worker'], ['master', 'worker', 'keeper']] as const;

async function pidOf(victim: (typeof VICTIMS)[number][number]): Promise<number> {
  if (victim === 'keeper') return await build.keeperPid();
  return (victim === 'master' ? build.master : build.worker).process.pid ?? 0;
}

/** Of both ends of the line, when the worker is here: a connection that was left behind would be one more. */
async function descriptors(): Promise<readonly number[]> {
  const figures = await Promise.all([pidOf('master').then(figuresOf), pidOf('worker').then(figuresOf)]);
  return figures.map((one) => one.descriptors);
}

async function isConnected(): Promise<boolean> {
  const { text } = await build.farm.ssh(['workers', '--json']);
  const [worker] = JSON.parse(text) as readonly { readonly state: string }[];
  return worker?.state === 'connected';
}

test(
  `SIGSTOP for ${FREEZE_SECONDS} s of the master, the worker daemon, the keeper, and of some at once, in one build`,
  async () => {
    await build.storesMore();
    const calm = await descriptors();
    for (const victims of VICTIMS) {
      const pids = await Promise.all(victims.map(pidOf));
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await sleep(FREEZE_SECONDS * 1_000);
      for (const pid of pids) process.kill(pid, 'SIGCONT');
      // What was on its way is taken in before a line that stood still is given up: so the log has to grow after that as well.
      await until(`the worker is connected after a freeze of ${victims.join()}`, isConnected, BACK_MS);
      await build.storesMore();
      expect((await build.farm.view(build.id)).state, victims.join()).toBe('running');
      // Connections that were given up while nobody could see it are let go of.
      await until(
        `one line is left after a freeze of ${victims.join()}`,
        async () => {
          const now = await descriptors();
          return now.every((count, index) => count <= (calm[index] ?? 0));
        },
        BACK_MS,
      );
    }
    await build.endsWell();
  },
  HOUR,
);
