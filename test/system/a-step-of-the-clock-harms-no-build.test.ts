import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { LongBuild } from '../support/long-build.ts';
import { until } from '../support/until.ts';

const SHIM = pathToFileURL(resolve(import.meta.dirname, '../../dist/test/support/stepped-clock-main.js')).href;
const HOUR_MS = 3_600_000;
/** More than is archived in one go, so that parts of the log are told at different times. */
const BYTES = 12 * 1024 * 1024;

/** Whose clock a file tells, by the file's name. */
const CLOCKS = ['master', 'worker', 'worker.keeper'] as const;

let build: LongBuild;
afterEach(() => build.close());

/** Beginning and end of the build and of each step. */
function spans(view: BuildView): readonly number[] {
  return [view, ...view.steps].map(({ startedAtMs, finishedAtMs }) => (finishedAtMs ?? 0) - (startedAtMs ?? Infinity));
}

test('the wall clock of master, worker daemon and keeper goes an hour ahead and back in mid-build', async () => {
  const stepOptions = `{ timeout: '30s', maxTime: '10m' }`;
  const env = (daemon: string, dir: string): Record<string, string> => ({
    NODE_OPTIONS: `--import=${SHIM}`,
    STEPPED_CLOCK: join(dir, daemon),
  });
  build = await LongBuild.create({ bytes: BYTES, bytesPerSecond: 100_000, stepOptions, env });
  // The build begins in the future, and so it ends before it began, by the clock on the wall.
  await build.put('master', String(HOUR_MS));
  await build.begin();
  expect((await build.farm.view(build.id)).startedAtMs).toBeGreaterThan(Date.now() + HOUR_MS / 2);
  for (const clock of CLOCKS) {
    for (const offMs of [HOUR_MS, -HOUR_MS, 0]) {
      await build.put(clock, String(offMs));
      await build.storesMore();
    }
  }
  // A restart in another time, and the line begun anew.
  await build.put('master', String(-HOUR_MS));
  await build.put('worker', String(HOUR_MS));
  await build.master.end('SIGKILL');
  await build.startMaster();
  await build.worker.end('SIGKILL');
  await build.startWorker();
  await build.storesMore();
  const view = await build.endsWell();
  expect(Math.min(...spans(view)), JSON.stringify(view)).toBeGreaterThanOrEqual(0);
  // Durations of commands are measured, and the step's log can be read from any byte, in the archive as in rows.
  const log = await build.farm.log(build.id, 'print');
  const from = Math.floor(log.length / 2);
  const rest = await build.farm.ssh(['log', '--raw', '--from', String(from), String(build.id), 'print']);
  expect(rest.stdout.equals(log.subarray(from))).toBe(true);
  const { id = 0 } = view.steps[1]?.logs[0] ?? {};
  const archive = join(build.farm.masterDir, 'state', 'logs', String(Math.floor(id / 1_000)), `${id}.log.gz`);
  await until('the log is in the archive', () => existsSync(archive));
  expect((await build.farm.log(build.id, 'print')).equals(log)).toBe(true);
});
