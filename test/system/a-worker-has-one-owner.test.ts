import { afterEach, beforeEach, expect, test } from 'vitest';
import { startDaemon } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { LongBuild } from '../support/long-build.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

let site: LongBuild;
let copy: Daemon | undefined;

beforeEach(async () => {
  site = await LongBuild.create({ isRelayed: true, bytesPerSecond: 2_000_000 });
});
afterEach(async () => {
  await copy?.end('SIGKILL');
  copy = undefined;
  await site.close();
});

test('what a connection says after another took over does not count', async () => {
  await site.begin();
  // What the daemon says to the old connection from now on, its end too, is held on the way.
  site.relay.abandon();
  await until('it has said something', () => site.relay.heldBytes() > 100_000);
  const stored = await site.stored();
  await site.worker.end('SIGKILL');
  await site.startWorker();
  await until('the new connection takes over', () => /a worker connected anew/.test(site.master.stderr()));
  // The master has not closed the old one yet.
  expect(site.relay.release()).toBeGreaterThan(0);
  await site.storesMore(stored + 100_000);
  await site.endsWell();
  expect(site.master.stderr()).not.toMatch(/ error /);
});

test('a copy of the folder is refused in mid-build, and the build goes on undisturbed', async () => {
  await site.begin();
  const dir = `${site.farm.workerDir('w')}-copy`;
  // All that can be copied, the running command's spool too.
  await runOk('cp', ['-a', site.farm.workerDir('w'), dir]);
  copy = await startDaemon(['worker', 'start', dir]);
  const folders = new RegExp(`folder ${site.farm.workerDir('w')} .*folder ${dir} .*was its folder copied`);
  const own = copy;
  await until('it is told', () => /duplicate-worker/.test(own.stderr()));
  expect(own.stderr()).toMatch(folders);
  expect(site.master.stderr()).toMatch(folders);
  expect(site.worker.stderr()).not.toMatch(/disconnected/);
  await site.storesMore((await site.stored()) + 1_000_000);
  await site.endsWell();
});

test('a folder has one daemon, and the second is told which command stops the first', async () => {
  const second = startDaemon(['worker', 'start', site.farm.workerDir('w')]);
  await expect(second).rejects.toThrow(`a worker runs in ${site.farm.workerDir('w')} already: stop it first with`);
});
