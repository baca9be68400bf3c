import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

const TOKEN = 'correct-horse+battery/staple';
const KEY =
  '-----BEGIN A KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8\nAgEAAkEAq7BFUpkGp3+LQmlQ\n-----END A KEY-----\n';
/** What would be found of them, if anything were. */
const TRACES = [
  TOKEN.slice(0, 12),
  TOKEN.slice(-12),
  ...KEY.split('\n').filter((line) => line !== ''),
  ...[0, 1, 2].map((before) =>
    Buffer.from(' '.repeat(before) + TOKEN)
      .toString('base64')
      .slice(4, 24),
  ),
];
const PRINT_BYTES = TOKEN.split('')
  .map((letter) => `printf %s '${letter}'; sleep 0.03`)
  .join('; ');

let farm: Farm;
let master: Daemon;
let worker: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.masterDir, 'secrets'));
  await writeFile(join(farm.masterDir, 'secrets', 'token'), `${TOKEN}\n`, { mode: 0o600 });
  await writeFile(join(farm.masterDir, 'secrets', 'key'), KEY, { mode: 0o600 });
  await farm.config(`
import { builder, defineMaster, force, project, secret, secretFile, sh, step, withSecretFiles, worker } from 'trunkline';
const go = ${JSON.stringify(join(farm.dir, 'go'))};
export default defineMaster({
  title: 'Secrets',
  workers: [worker('w', { maxBuilds: 2 })],
  secrets: {
    token: secretFile('secrets/token', { projects: ['p'] }),
    key: secretFile('secrets/key', { projects: ['p'] }),
    other: secretFile('secrets/token', { projects: ['q'] }),
  },
  projects: [
    project('p', {
      builders: [
        builder('prints', { workers: ['w'], steps: [
          sh('print', ${JSON.stringify(`${PRINT_BYTES}; echo; touch GO.1; while ! test -e GO; do sleep 0.05; done; ${PRINT_BYTES}; echo; echo "$TOKEN"; printf 'x:%s' "$TOKEN" | base64; printf %s "$TOKEN" | base64 -w 20; exit 3`)}.replaceAll('GO', go), { env: { TOKEN: secret('token') }, haltOnFailure: false }),
          step('code', async (ctx) => {
            const { output } = await ctx.run('echo "$TOKEN"', { env: { TOKEN: secret('token') }, capture: 100 });
            await ctx.setProperty('said', output);
            await ctx.download({ secret: 'key' }, 'key');
            await ctx.run('ls -l key; cat key; sed "s/^/> /" key');
            throw new Error('it said ' + output);
          }),
          withSecretFiles({ 'conf/key': secret('key') }, sh('with-file', 'cmp conf/key key && cat conf/key', { alwaysRun: true })),
          sh('after', 'test ! -e conf/key && test -e key', { alwaysRun: true }),
        ] }),
        builder('is refused', { workers: ['w'], steps: [step('ask', (ctx) => ctx.run('touch ran', { env: { A: secret('other') } }).then(() => undefined))] }),
      ].map((one) => ({ ...one, name: one.name.replace(' ', '-') })),
      schedulers: [force()],
    }),
    project('q', { builders: [builder('b', { workers: ['w'], steps: [sh('true', 'true')] })] }),
  ],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  worker = await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
});
afterAll(() => farm.close());

/** All that is in a folder, and in what is compressed there, file by file. */
async function contentsOf(dir: string, except: readonly string[]): Promise<Map<string, Buffer>> {
  const all = new Map<string, Buffer>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || except.some((one) => path.startsWith(join(dir, one)))) continue;
    const content = await readFile(path);
    all.set(path, path.endsWith('.gz') ? gunzipSync(content) : content);
  }
  return all;
}

test('nothing that a build prints, sets, throws or leaves shows a secret, over kill -9 of the worker and of the master', async () => {
  const words: string[] = [];
  const asked = await farm.ssh(['force', 'p/prints', '--json']);
  expect(asked.status, asked.stderr).toBe(0);
  await until('the first half is printed', () => existsSync(join(farm.dir, 'go.1')));
  words.push(worker.stderr(), master.stderr());
  await Promise.all([worker.end('SIGKILL'), master.end('SIGKILL')]);
  await writeFile(join(farm.dir, 'go'), '');
  master = await farm.startMaster();
  worker = await farm.startWorker('w');
  const id = (await farm.list())[0]?.id ?? 0;
  const build = await farm.finished(id);
  expect(build.steps.map(({ name, result }) => [name, result])).toEqual([
    ['print', 'failure'],
    ['code', 'exception'],
    ['with-file', 'success'],
    ['after', 'success'],
  ]);

  const stars = '*'.repeat(TOKEN.length);
  const printed = (await farm.log(id, 'print')).toString();
  expect(printed.startsWith(`${stars}\n${stars}\n${stars}\n`)).toBe(true);
  expect(printed.length).toBe(3 * (TOKEN.length + 1) + 41 + 42);
  expect(build.steps[1]?.summary).toContain(`it said ${stars}`);
  expect(build.properties.find(({ name }) => name === 'said')?.value).toBe(`${stars}\n`);
  words.push(printed, JSON.stringify(build));
  for (const { name, logs } of build.steps) {
    for (const log of logs) {
      const ran = await farm.ssh(['log', '--raw', '--log', log.name, String(id), name]);
      expect(ran.status, ran.stderr).toBe(0);
      words.push(ran.text);
    }
  }
  expect(words.join('\n')).toContain('-rw------- ');
  const file = join(farm.workerDir('w'), 'work', 'p', 'prints', 'key');
  await until('the file that the build was given is gone', () => !existsSync(file));

  const refused = await farm.build('p/is-refused');
  expect(refused).toMatchObject({
    result: 'exception',
    summary: 'ask: secret "other" is not for project p; add "p" to the secret\'s projects',
  });

  words.push(worker.stderr(), master.stderr());
  const stored = await contentsOf(farm.masterDir, ['secrets']);
  const left = await contentsOf(farm.workerDir('w'), []);
  for (const trace of TRACES) {
    expect(words.join('\n')).not.toContain(trace);
    for (const [path, content] of [...stored, ...left]) expect([path, content.includes(trace)]).toEqual([path, false]);
  }
});
