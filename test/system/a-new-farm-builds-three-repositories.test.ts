import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

const NAMES = ['apple', 'birch', 'cedar'];
let farm: Farm;
let master: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  const repositories: Record<string, string> = {};
  for (const name of NAMES) {
    repositories[name] = await farm.repository(name, {
      'main.c': `#include <stdio.h>\nint main(void) { for (int i = 0; i < 2000; i++) printf("${name} %d\\n", i); return 0; }\n`,
      Makefile: `${name}: main.c\n\tcc -o ${name} main.c\ncheck: ${name}\n\t./${name}\n`,
    });
  }
  await farm.config(`
import { builder, checkout, defineMaster, force, git, project, sh, worker } from 'trunkline';
const repositories: Record<string, string> = ${JSON.stringify(repositories)};
export default defineMaster({
  title: 'Three',
  workers: [worker('w1', { maxBuilds: 3 }), worker('w2')],
  projects: Object.entries(repositories).map(([name, url]) =>
    project(name, {
      source: git(url, { branch: 'main' }),
      builders: [builder('cc', { workers: ['w1', 'w2'], steps: [checkout(), sh('make', 'make'), sh('check', 'make -s check')] })],
      schedulers: [force()],
    })),
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w1');
  await farm.addWorker('w2');
  await farm.startWorker('w1');
  await farm.startWorker('w2');
});
afterAll(() => farm.close());

test('all three are built side by side, each of the commit its repository has', async () => {
  const builds = await Promise.all(NAMES.map((name) => farm.build(`${name}/cc`)));
  for (const [index, build] of builds.entries()) {
    const name = NAMES[index] ?? '';
    expect(build, JSON.stringify(build)).toMatchObject({
      project: name,
      builder: 'cc',
      number: 1,
      state: 'finished',
      result: 'success',
    });
    const head = await runOk('git', ['-C', `${farm.dir}/repositories/${name}`, 'rev-parse', 'HEAD']);
    expect(build.properties).toContainEqual(expect.objectContaining({ name: 'got_revision', value: head }));
    const expected = Array.from({ length: 2000 }, (_, i) => `${name} ${i}\n`).join('');
    expect((await farm.log(build.id, 'check')).toString()).toBe(expected);
    expect((await farm.log(`${name}/cc#1`, '2')).toString()).toBe(expected);
  }
});

test('an unknown commit, a branch that is not there: the checkout fails and says which', async () => {
  const build = await farm.build('apple/cc', '--branch', 'nowhere');
  expect(build.result).toBe('failure');
  expect((await farm.log(build.id, 'checkout')).toString()).toContain('nowhere');
  expect(build.steps.map((step) => step.state)).toEqual(['finished', 'pending', 'pending']);
});

test('the master holds one descriptor for each worker, however many sessions it has', async () => {
  const sockets = async (): Promise<number> => (await readdir(`/proc/${master.process.pid}/fd`)).length;
  const before = await sockets();
  await Promise.all(NAMES.map((name) => farm.build(`${name}/cc`)));
  // The ssh clients of this test come and go: what stays is what counts.
  await until('the descriptors are back', async () => (await sockets()) <= before);
  const workers = JSON.parse((await farm.ssh(['workers', '--json'])).text) as { name: string; state: string }[];
  expect(workers.map(({ name, state }) => [name, state])).toEqual([
    ['w1', 'connected'],
    ['w2', 'connected'],
  ]);
});

test('status, builds and build are told to people in words', async () => {
  const status = await farm.ssh(['status']);
  expect(status.text).toContain('Three: 2 of 2 workers connected');
  const builds = await farm.ssh(['builds', 'apple']);
  expect(builds.text.split('\n')[0]).toMatch(/^ID +BUILD +RESULT +TOOK +WORKER +SOURCE +STARTED$/);
  expect(builds.text).toContain('apple/cc#1');
  const build = await farm.ssh(['build', 'apple/cc#1']);
  expect(build.text).toMatch(/success +make/);
  expect(build.text).toMatch(/got_revision = [0-9a-f]{40} {2}\(checkout\)/);
});
