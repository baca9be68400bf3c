import { once } from 'node:events';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm, startDaemon, trunkline } from '../support/farm.ts';
import { runOk } from '../support/run.ts';
import type { Ran } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let masterLog: () => string;

const good = `
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Mistakes',
  workers: [worker('w')],
  projects: [project('p', { builders: [
    builder('b', { workers: ['w'], steps: [sh('none', ['no-such-program', 'x'])] }),
  ], schedulers: [force()] }), project('shy', { builders: [builder('b', { workers: ['w'], steps: [sh('t', 'true')] })] })],
});
`;

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(good);
});
afterAll(() => farm.close());

/** Gives the database a schema version that this program does not know. */
const NEWER = `import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.execute('PRAGMA user_version = 9999')
d.commit()`;

/** One line on stderr, this status, these words, no stack. */
function tells(ran: Ran, status: number, words: RegExp): void {
  expect(ran.stderr).toMatch(words);
  expect(ran.stderr).not.toMatch(/\n\s+at /);
  expect(ran.stderr.trim().split('\n').length, ran.stderr).toBe(1);
  expect(ran.status).toBe(status);
}

test.each([
  [
    'two builders of one name',
    good.replace(
      "project('shy', { builders: [",
      "project('shy', { builders: [builder('b', { workers: ['w'], steps: [sh('t', 'true')] }), ",
    ),
    /shy.*"b"/,
  ],
  ['an unknown worker', good.replace("workers: ['w'], steps", "workers: ['x'], steps"), /"x".*worker\('x'\)/],
  ['a name with a slash', good.replace("project('shy'", "project('sh/y'"), /sh\/y.*letters, digits/],
  ['no default export', 'export const x = 1;\n', /export default defineMaster/],
  ['an import that is not there', "import './gone.ts';\nexport default 1;\n", /trunkline\.config\.ts:1:\d+.*gone\.ts/],
  ['an error while loading', "throw new Error('my own words');\n", /my own words/],
])('a configuration with %s', async (_what, text, words) => {
  await farm.config(text);
  try {
    for (const verb of ['check', 'start']) {
      const ran = await trunkline(['master', verb, farm.masterDir]);
      tells(ran, 1, words);
    }
  } finally {
    await farm.config(good);
  }
});

test('a good configuration is checked, and nothing is left behind', async () => {
  const before = (await readdir(farm.masterDir)).sort();
  const ran = await trunkline(['master', 'check', farm.masterDir]);
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  expect((await readdir(farm.masterDir)).sort()).toEqual(before);
});

test('a port in use', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  tells(
    await trunkline(['master', 'start', farm.masterDir, '--listen', `127.0.0.1:${port}`]),
    1,
    new RegExp(`${port}.*in use`),
  );
  server.close();
});

test('a missing host key, a folder that is none, a second init', async () => {
  const copy = join(farm.dir, 'copy');
  await cp(farm.masterDir, copy, { recursive: true });
  await rm(join(copy, 'host_key'));
  tells(await trunkline(['master', 'start', copy]), 1, /host_key/);
  tells(await trunkline(['master', 'start', join(farm.dir, 'nowhere')]), 1, /nowhere.*master init/);
  tells(
    await trunkline(['master', 'init', farm.masterDir, '--operator-key', `${farm.keyFile('admin')}.pub`]),
    1,
    /not empty|already/,
  );
  tells(await trunkline(['worker', 'start', join(farm.dir, 'nowhere')]), 1, /nowhere.*worker init/);
  tells(await trunkline(['master', 'stop', farm.masterDir]), 1, /no master runs/);
});

test('a database newer than the program, and one that is none', async () => {
  const copy = join(farm.dir, 'newer');
  await cp(farm.masterDir, copy, { recursive: true });
  const daemon = await startDaemon(['master', 'start', copy]);
  await daemon.end();
  const file = join(copy, 'state', 'trunkline.sqlite');
  await runOk('python3', ['-c', NEWER, file]);
  tells(await trunkline(['master', 'start', copy]), 1, /newer/);
  await writeFile(file, 'this is no database, although it is long enough to be looked at as one'.repeat(100));
  tells(await trunkline(['master', 'start', copy]), 1, /trunkline\.sqlite/);
});

test('a worker with a wrong host key, a wrong name, an unknown key', async () => {
  const made = await trunkline([
    'worker',
    'init',
    farm.workerDir('bad name!'),
    '--name',
    'bad name!',
    '--master',
    'h',
    '--host-key',
    'SHA256:x',
  ]);
  tells(made, 64, /bad name!.*letters, digits/);
  masterLog = (await farm.startMaster()).stderr;
  await farm.addWorker('w');
  const file = join(farm.workerDir('w'), 'worker.json');
  const settings = await readFile(file, 'utf8');
  await writeFile(file, settings.replace(/SHA256:[A-Za-z0-9+/]+/, `SHA256:${'A'.repeat(43)}`));
  const wrong = await startDaemon(['worker', 'start', farm.workerDir('w')]);
  await until('it names both keys', () => /SHA256:A{43}/.test(wrong.stderr()) && /host key/.test(wrong.stderr()));
  await wrong.end();
  await writeFile(file, settings);
  expect((await farm.ssh(['worker', 'revoke', 'w'])).status).toBe(0);
  const refused = await startDaemon(['worker', 'start', farm.workerDir('w')]);
  await until('it says what to do', () => /refused.*worker add/.test(refused.stderr()));
  await refused.end();
  expect(
    (await farm.ssh(['worker', 'add', 'w'], { input: await readFile(join(farm.workerDir('w'), 'key.pub')) })).status,
  ).toBe(0);
  await farm.startWorker('w');
});

test('a program that does not exist fails the step, and its log says so', async () => {
  const build = await farm.build('p/b');
  expect(build.result).toBe('failure');
  expect((await farm.log(build.id, 'none')).toString()).toContain('no-such-program');
});

test.each<[string[], number, RegExp]>([
  [['force', 'p/none'], 66, /project p has no builder "none"/],
  [['force', 'none/b'], 66, /none/],
  [['force', 'shy/b'], 69, /force\(\)/],
  [['force', 'p'], 64, /PROJECT\/BUILDER/],
  [['force', 'p/b', '--branch=-x'], 64, /branch/],
  [['force', 'p/b', '-p', 'x'], 64, /NAME=VALUE/],
  [['build', '999'], 66, /999/],
  [['build', 'p/b#999'], 66, /999/],
  [['build'], 64, /usage: build/],
  [['builds', '-n', '0'], 64, /-n/],
  [['log', '1'], 64, /usage: log/],
  [['stop', '1'], 69, /finished/],
  [['worker', 'add', 'x/y'], 64, /key|x\/y/],
  [['worker', 'revoke', 'nobody'], 66, /nobody/],
  [['dance'], 64, /dance/],
  [['help', 'dance'], 64, /dance/],
  [["'"], 64, /never closed/],
])('ssh … %j', async (words, status, text) => {
  tells(await farm.ssh(words), status, text);
});

test('a key file that is no key is told of, and harms nobody', async () => {
  await writeFile(join(farm.masterDir, 'keys', 'readers', 'broken.pub'), 'no key at all\n');
  await until('the log names the file', () => masterLog().includes('broken.pub'));
  expect((await farm.ssh(['status'])).status).toBe(0);
});
