import { afterEach, beforeEach, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';

const PACE = 1_000_000;

let build: LongBuild;

beforeEach(async () => {
  build = await LongBuild.create({ bytesPerSecond: PACE });
  await build.begin();
});
afterEach(() => build.close());

test('kill -9 of the master', async () => {
  await build.master.end('SIGKILL');
  await build.startMaster();
  await build.storesMore();
  await build.endsWell();
});

test('kill -9 of the worker daemon', async () => {
  await build.worker.end('SIGKILL');
  await build.startWorker();
  await build.storesMore();
  await build.endsWell();
});

test('kill -9 of both, and the command ends while nobody is there', async () => {
  await Promise.all([build.master.end('SIGKILL'), build.worker.end('SIGKILL')]);
  await build.letGo();
  await build.commandHasEnded();
  await build.startMaster();
  await build.startWorker();
  await build.endsWell();
});

test('an orderly stop and start of both, twice', async () => {
  for (let round = 0; round < 2; round++) {
    await build.master.end('SIGTERM');
    await build.worker.end('SIGTERM');
    await build.startWorker();
    await build.startMaster();
    await build.storesMore();
  }
  await build.endsWell();
});
