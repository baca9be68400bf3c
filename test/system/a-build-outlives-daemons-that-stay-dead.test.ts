import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';
import { until } from '../support/until.ts';

const MiB = 1024 * 1024;
/** More than a worker's disk lends to one command's output, so that the command is held up before its end. */
const BYTES = 80 * MiB;
const SPOOL = 64 * MiB;
/** Looks, one after the other, that must find a command which is held up at the same byte. */
const LOOKS = 5;
const LOOK_MS = 200;

let build: LongBuild;

beforeEach(async () => {
  build = await LongBuild.create({ bytes: BYTES, bytesPerSecond: 100_000 });
  await build.begin();
});
afterEach(() => build.close());

/** The command writes as fast as it can, until nobody takes its output any more. */
async function isHeldUp(): Promise<void> {
  await build.letGo();
  let last = 0;
  let same = 0;
  await until('the command is held up in write()', async () => {
    const now = await build.printed();
    same = now === last && now > SPOOL ? same + 1 : 0;
    last = now;
    await sleep(LOOK_MS);
    return same >= LOOKS;
  });
  expect(last).toBeLessThan(SPOOL + 2 * MiB);
}

test('the worker daemon is killed and stays dead, until the spool is full and the command held up', async () => {
  await build.worker.end('SIGKILL');
  const status = await until('the master has it as away', async () => {
    const { text } = await build.farm.ssh(['workers', '--json']);
    const [worker] = JSON.parse(text) as readonly { readonly state: string }[];
    return worker?.state === 'disconnected' && worker;
  });
  expect(status.state).toBe('disconnected');
  await isHeldUp();
  expect((await build.farm.view(build.id)).state).toBe('running');
  await build.startWorker();
  const view = await build.endsWell();
  expect(view.steps[1]?.logs[0]?.length).toBeGreaterThanOrEqual(BYTES);
});

test('both daemons are killed and stay dead as long', async () => {
  await Promise.all([build.master.end('SIGKILL'), build.worker.end('SIGKILL')]);
  await isHeldUp();
  await build.startWorker();
  await build.startMaster();
  const view = await build.endsWell();
  expect(view.steps[1]?.logs[0]?.length).toBeGreaterThanOrEqual(BYTES);
});
