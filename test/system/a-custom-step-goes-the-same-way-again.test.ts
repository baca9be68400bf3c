import { readFileSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let master: Daemon;

beforeEach(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'starts'));
  await mkdir(join(farm.dir, 'go'));
});
afterEach(() => farm.close());

/** Notes its start in a file of its own, and waits until it may go on: two files for one command are two starts. */
function command(name: string): string {
  const { dir } = farm;
  return `mktemp -q ${dir}/starts/${name}.XXXXXX >/dev/null; until [ -e ${dir}/go/${name} ]; do sleep 0.02; done; `;
}

async function begin(steps: string): Promise<void> {
  await configure(steps);
  master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);
}

async function configure(steps: string): Promise<void> {
  await farm.config(`
import { builder, defineMaster, force, project, step, worker } from 'trunkline';
const command = (name) => ${JSON.stringify(command('NAME'))}.replaceAll('NAME', name);
export default defineMaster({
  title: 'Same way',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [${steps}] })],
    schedulers: [force()],
  })],
});
`);
}

async function isStarted(name: string): Promise<void> {
  await until(`${name} is started`, async () => (await starts()).includes(name));
}

async function letGo(name: string): Promise<void> {
  await writeFile(join(farm.dir, 'go', name), '');
}

async function killMaster(): Promise<void> {
  await master.end('SIGKILL');
  master = await farm.startMaster();
}

/** One name for each start. */
async function starts(): Promise<string[]> {
  return (await readdir(join(farm.dir, 'starts'))).map((name) => name.split('.')[0] ?? '').sort();
}

async function finished(): Promise<BuildView> {
  return await until('the build is finished', async () => {
    const [build] = await farm.list();
    return build?.state === 'finished' ? build : undefined;
  });
}

/** Which of the moments have their kill: two of them, or all. */
function choose(count: number): ReadonlySet<number> {
  const all = Array.from({ length: count }, (_, index) => index);
  if (process.env['TRUNKLINE_KILL_POINTS'] === 'all') return new Set(all);
  const random = seeded(SEED);
  const order = all.map((index) => ({ index, at: random() })).toSorted((a, b) => a.at - b.at);
  return new Set(order.slice(0, 2).map(({ index }) => index));
}

test(`with the master killed during its commands, each runs once and the result is right (seed ${SEED})`, async () => {
  await begin(`
    step('code', async (ctx) => {
      const first = [await ctx.now(), await ctx.random()];
      let sum = 0;
      const lines = [];
      for (const i of [1, 2]) {
        const { output } = await ctx.run('echo begin; ' + command('loop' + i) + 'echo ' + i, { capture: 2, onLine: (line) => { lines.push(line); } });
        sum += Number(output);
      }
      const { exitCode } = await ctx.run(command(sum === 3 ? 'then' : 'else') + 'exit 4');
      const { left, right } = await ctx.parallel({
        left: async (own) => {
          await own.run(command('left1'));
          return (await own.run(command('left2') + 'echo 10', { capture: 10 })).output;
        },
        right: async (own) => (await own.run(command('right') + 'echo 20', { capture: 10 })).output,
      });
      await ctx.setProperty('first', first);
      await ctx.setProperty('lines', lines);
      await ctx.setProperty('sum', sum + exitCode + Number(left) + Number(right));
      return exitCode === 4 ? 'warnings' : 'failure';
    })`);
  // At the pair both are under way, then the one that came second has ended, then the first goes on alone.
  const moments = [
    { started: ['loop1'], goes: ['loop1'] },
    { started: ['loop2'], goes: ['loop2'] },
    { started: ['then'], goes: ['then'] },
    { started: ['left1', 'right'], goes: ['right', 'left1'] },
    { started: ['left2'], goes: ['left2'] },
  ];
  const chosen = choose(moments.length);
  for (const [index, { started, goes }] of moments.entries()) {
    for (const name of started) await isStarted(name);
    if (chosen.has(index)) await killMaster();
    for (const name of goes) await letGo(name);
  }
  const build = await finished();
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'warnings' });
  expect(build.properties).toContainEqual(expect.objectContaining({ name: 'sum', value: 37 }));
  // Each line once, also of a command that was under way at a kill, or had ended before it.
  expect(build.properties).toContainEqual(
    expect.objectContaining({ name: 'lines', value: ['begin', '1', 'begin', '2'] }),
  );
  expect(await starts()).toEqual(['left1', 'left2', 'loop1', 'loop2', 'right', 'then']);
  expect(await farm.list()).toHaveLength(1);
});

test('a configuration that was edited while the master was killed changes only the next build', async () => {
  const marked = (word: string): string => `
    step('code', async (ctx) => {
      await ctx.run(command('${word}1'));
      await ctx.run(command('${word}2'));
      await ctx.setProperty('word', '${word}');
    })`;
  await begin(marked('old'));
  await isStarted('old1');
  await configure(marked('new'));
  await killMaster();
  await letGo('old1');
  await letGo('old2');
  const build = await finished();
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect(build.properties).toContainEqual(expect.objectContaining({ name: 'word', value: 'old' }));
  await letGo('new1');
  await letGo('new2');
  const next = await farm.build('p/b');
  expect(next.properties).toContainEqual(expect.objectContaining({ name: 'word', value: 'new' }));
  expect(await starts()).toEqual(['new1', 'new2', 'old1', 'old2']);
});

test('a step that does something else when it is run again ends as an exception that shows both calls', async () => {
  // Not from the record: a file that is there the second time.
  await begin(`
    step('code', async (ctx) => {
      const { existsSync } = await import('node:fs');
      const word = existsSync('${farm.dir}/edited') ? 'second' : 'first';
      await ctx.run(['echo', word]);
      await ctx.run('echo $$ > ${farm.dir}/pid; ' + command('waits'));
    })`);
  await isStarted('waits');
  const pid = Number(await readFile(join(farm.dir, 'pid'), 'utf8'));
  expect(isRunning(pid)).toBe(true);
  await writeFile(join(farm.dir, 'edited'), '');
  await killMaster();
  const build = await finished();
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'exception' });
  const summary = build.steps[0]?.summary ?? '';
  expect(summary).toContain('call 1 of the step differs from its record');
  expect(summary).toMatch(/recorded run \{.*\["echo","first"\].*\}, now run \{.*\["echo","second"\]/);
  expect(await starts()).toEqual(['waits']);
  // What was under way is not left behind.
  await until('the command has ended', () => !isRunning(pid));
});

/** A process that was killed may be a zombie for a while. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // No such process.
    return false;
  }
}
