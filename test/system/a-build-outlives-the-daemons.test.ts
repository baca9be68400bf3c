import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let master: Daemon;
let worker: Daemon;

beforeEach(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'starts'));
  await writeFile(join(farm.dir, 'printer.py'), PRINTER);
  // Each command notes its start in a file of its own: two files for one step are two starts.
  await farm.config(`
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
const start = 'mktemp -q ${farm.dir}/starts/$STEP.XXXXXX >/dev/null';
export default defineMaster({
  title: 'Outlive',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [
      sh('first', 'STEP=first; ' + start),
      sh('print', 'STEP=print; ' + start + '; python3 ${farm.dir}/printer.py ${farm.dir}'),
      step('code', async (ctx) => {
        const one = await ctx.run('STEP=one; ' + start + '; echo 1', { log: 'one', capture: 10 });
        const { left, right } = await ctx.parallel({
          left: async (own) => (await own.run('STEP=left; ' + start + '; echo 2', { log: 'left', capture: 10 })).output,
          right: async (own) => (await own.run('STEP=right; ' + start + '; echo 3', { log: 'right', capture: 10 })).output,
        });
        await ctx.setProperty('sum', Number(one.output) + Number(left) + Number(right));
      }),
    ] })],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  worker = await farm.startWorker('w');
});
afterEach(() => farm.close());

/** Prints for as long as no file `go` is there, hashes what it printed, and leaves the hash in a file. */
const PRINTER = `
import hashlib, os, sys, time
dir = sys.argv[1]
digest, n = hashlib.sha256(), 0
while True:
    go = os.path.exists(dir + '/go')
    for _ in range(200):
        line = ('line %09d of a log that must not lose a byte\\n' % n).encode()
        sys.stdout.buffer.write(line); digest.update(line); n += 1
    sys.stdout.buffer.flush()
    if go: break
    time.sleep(0.01)
open(dir + '/hash', 'w').write(digest.hexdigest())
`;

/** Starts the build and waits until its second step has printed something that the master holds. */
async function beginBuild(): Promise<number> {
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);
  const build = await until('the build runs', async () => (await farm.list())[0]);
  await moreIsStored(build.id, 1);
  return build.id;
}

async function stored(build: number): Promise<number> {
  return (await farm.view(build)).steps[1]?.logs[0]?.length ?? 0;
}

async function moreIsStored(build: number, than: number): Promise<void> {
  await until(`more than ${than} bytes are stored`, async () => (await stored(build)) > than);
}

async function endsWell(build: number): Promise<void> {
  await writeFile(join(farm.dir, 'go'), '');
  const view = await until('the build is finished', async () => {
    const now = await farm.view(build);
    return now.state === 'finished' ? now : undefined;
  });
  expect(view, JSON.stringify(view)).toMatchObject({ result: 'success' });
  expect(view.properties).toContainEqual(expect.objectContaining({ name: 'sum', value: 6 }));
  const log = await farm.log(build, 'print');
  expect(createHash('sha256').update(log).digest('hex')).toBe(await readFile(join(farm.dir, 'hash'), 'utf8'));
  const starts = (await readdir(join(farm.dir, 'starts'))).map((name) => name.split('.')[0] ?? '');
  expect(starts.toSorted((a, b) => a.localeCompare(b))).toEqual(['first', 'left', 'one', 'print', 'right']);
  expect((await farm.list()).length).toBe(1);
}

test('kill -9 of the master', async () => {
  const build = await beginBuild();
  await master.end('SIGKILL');
  master = await farm.startMaster();
  await moreIsStored(build, await stored(build));
  await endsWell(build);
});

test('kill -9 of the worker daemon', async () => {
  const build = await beginBuild();
  await worker.end('SIGKILL');
  worker = await farm.startWorker('w');
  await moreIsStored(build, await stored(build));
  await endsWell(build);
});

test('kill -9 of both, and the command ends while nobody is there', async () => {
  const build = await beginBuild();
  await Promise.all([master.end('SIGKILL'), worker.end('SIGKILL')]);
  await writeFile(join(farm.dir, 'go'), '');
  await until('the command has ended', () => readFile(join(farm.dir, 'hash'), 'utf8').catch(() => undefined));
  master = await farm.startMaster();
  worker = await farm.startWorker('w');
  await endsWell(build);
});

test('an orderly stop and start of both, twice', async () => {
  const build = await beginBuild();
  for (let round = 0; round < 2; round++) {
    await master.end('SIGTERM');
    await worker.end('SIGTERM');
    worker = await farm.startWorker('w');
    master = await farm.startMaster();
    await moreIsStored(build, await stored(build));
  }
  await endsWell(build);
});
