import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { WorkerView } from '../../src/master/views/worker.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { faultStream } from '../support/fault-stream.ts';
import type { FaultStream } from '../support/fault-stream.ts';
import { grown } from '../support/heap-census.ts';
import type { Census, Growth } from '../support/heap-census.ts';
import { keepersOf } from '../support/keepers-of.ts';
import { census, measure, probed } from '../support/probe.ts';
import type { Measure } from '../support/probe.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

/** In full: `TRUNKLINE_FLAT_BUILDS=1000 TRUNKLINE_FLAT_RECONNECTS=200`, a quarter of an hour. */
const BUILDS = Number(process.env['TRUNKLINE_FLAT_BUILDS'] ?? 36);
const RECONNECTS = Number(process.env['TRUNKLINE_FLAT_RECONNECTS'] ?? 12);
/** Until caches and pools are filled, and what is going to be compiled is compiled. */
const WARM_UP_BUILDS = 18;
const WARM_UP_RECONNECTS = 3;
const AT_ONCE = 4;
const QUIET_LOOKS = 10;
/** One of so many is stopped. */
const STOP_EACH = 6;
/** A worker's longest pause before it connects is 30 s, and the machine may be busy. */
const PATIENCE_MS = 180_000;
/** V8 keeps plain things of its own with code that it compiles; the round of each minute prepares its statements when it comes. */
const ONCE: Readonly<Record<string, number>> = {
  'object Object': 150,
  'object Array': 40,
  'object Promise': 20,
  'object Statement': 20,
};
const V8_MIB = 3;
/** So much heap one build may leave behind. */
const KIB_A_BUILD = 1;

let farm: Farm;
let relay: FaultStream;
let master: Daemon;
let worker: Daemon;

beforeEach(async () => {
  farm = await Farm.create();
  await mkdir(measures());
  await writeFile(join(farm.masterDir, 'in.bin'), 'in\n'.repeat(20_000));
  await configure();
  const env = probed(measures(), { heap: true });
  master = await farm.startMaster(env);
  relay = await faultStream(farm.port);
  await farm.addWorker('w', relay.port);
  worker = await farm.startWorker('w', env);
});
afterEach(async () => {
  await (
    await import('node:fs/promises')
  )
    .cp(measures(), '/tmp/h/flat-out/snap', { recursive: true, force: true })
    .catch(() => {});
  await farm.close();
  await relay.close();
});

function measures(): string {
  return join(farm.dir, 'measures');
}

/** What people do in steps, once in each build. */
async function configure(): Promise<void> {
  await farm.config(`
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
export default defineMaster({
  title: 'Flat',
  workers: [worker('w', { maxBuilds: ${AT_ONCE} })],
  projects: [project('p', {
    builders: [
      builder('mixed', { workers: ['w'], steps: [
        sh('print', 'seq 5000'),
        step('code', async (ctx) => {
          await ctx.download('in.bin', 'copy.bin');
          const { left, right } = await ctx.parallel({
            left: (own) => own.run('echo left', { log: 'left', capture: 10 }),
            right: (own) => own.run('wc -c < copy.bin', { log: 'right', capture: 10 }),
          });
          await ctx.setProperty('both', left.output + right.output + (await ctx.once('ten', () => 10, { idempotent: true })));
          await ctx.upload('copy.bin', 'out.bin');
        }),
        sh('fail', 'echo no >&2; exit 1'),
        sh('tidy', 'rm copy.bin', { alwaysRun: true }),
      ] }),
      builder('endless', { workers: ['w'], steps: [sh('drip', 'while :; do echo drop; sleep 0.05; done')] }),
    ],
    schedulers: [force()],
  })],
});
`);
}

/** A build that runs to its end. */
async function mixed(): Promise<void> {
  const view = await farm.build('p/mixed');
  expect(view, JSON.stringify(view)).toMatchObject({ state: 'finished', result: 'failure' });
  const code = view.steps.find(({ name }) => name === 'code');
  expect(code?.result, JSON.stringify(view)).toBe('success');
}

/** A build that is stopped; who follows its log goes away without a word. */
async function stopped(name: string): Promise<void> {
  const forced = await farm.ssh(['force', 'p/endless', '--reason', name]);
  expect(forced.status, forced.stderr).toBe(0);
  const find = async (): Promise<BuildView | undefined> => (await farm.list()).find(({ reason }) => reason === name);
  const { id } = await until(`${name} runs`, find);
  const follower = spawn('ssh', [...farm.sshArgs(), 'log', '-f', '--raw', String(id), 'drip'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(follower, 'exit');
  await Promise.race([once(follower.stdout, 'data'), gone]);
  follower.kill('SIGKILL');
  await gone;
  expect((await farm.ssh(['stop', String(id)])).status).toBe(0);
  await until(`${name} is stopped`, async () => (await find())?.result === 'cancelled');
}

/** The line is cut under whatever runs; resolves when the worker is back. */
async function reconnect(): Promise<void> {
  const before = relay.connections();
  relay.cut();
  await until('it connects anew', () => relay.connections() > before, PATIENCE_MS);
  await until('it is back', isConnected, PATIENCE_MS);
}

async function isConnected(): Promise<boolean> {
  const views = JSON.parse((await farm.ssh(['workers', '--json'])).text) as readonly WorkerView[];
  return views[0]?.state === 'connected';
}

let stops = 0;

/** So many builds, a few at once, while the line is cut so many times. */
async function work(builds: number, reconnects: number): Promise<void> {
  let begun = 0;
  let done = 0;
  const build = async (): Promise<void> => {
    while (begun < builds) {
      const n = ++begun;
      await (n % STOP_EACH === 0 ? stopped(`endless-${stops++}`) : mixed());
      done += 1;
    }
  };
  const cut = async (): Promise<void> => {
    for (let n = 0; n < reconnects; n++) {
      await until('the next cut is due', () => done >= (builds * n) / reconnects, PATIENCE_MS);
      await reconnect();
    }
  };
  await Promise.all([cut(), ...Array.from({ length: AT_ONCE }, build)]);
}

interface Held {
  readonly name: string;
  readonly measure: Measure;
  readonly census: Census;
}

/** What the daemons and the keeper hold when all is quiet. */
async function held(): Promise<readonly Held[]> {
  const [keeper] = await keepersOf(join(farm.workerDir('w'), 'spool'));
  const found: Held[] = [];
  for (const [name, pid] of [
    ['master', master.process.pid],
    ['worker', worker.process.pid],
    ['keeper', keeper],
  ] as const) {
    await quiet(name, pid ?? 0);
    const measured = await measure(measures(), pid ?? 0);
    const { main, thread } = await census(measures(), pid ?? 0);
    found.push({ name, measure: measured, census: main });
    if (thread) found.push({ name: `${name}'s thread`, measure: measured, census: thread });
  }
  return found;
}

/** Connections that have ended for whoever made them may not have for the daemon: until its descriptors stay the same for a while. */
async function quiet(name: string, pid: number): Promise<void> {
  let last = '';
  let looks = 0;
  await until(`${name} is quiet`, async () => {
    const now = (await readdir(`/proc/${pid}/fd`)).join(' ');
    looks = now === last ? looks + 1 : 0;
    last = now;
    return looks === QUIET_LOOKS;
  });
}

/** What there is more of than before: whatever each build, or each reconnect, leaves behind is found by its number. */
function leaks(before: readonly Held[], after: readonly Held[]): readonly string[] {
  const least = Math.min(BUILDS, RECONNECTS) * 0.75;
  return after.flatMap(({ name, measure: now, census: things }) => {
    const then = before.find((one) => one.name === name);
    if (!then || then.measure.pid !== now.pid) return [`${name} is another process than before`];
    const { descriptors, heapMiB, rssMiB } = then.measure;
    const more = grown(then.census, things, 1);
    console.log(
      `${name}: descriptors ${descriptors} -> ${now.descriptors}, heap ${heapMiB} -> ${now.heapMiB} MiB, RSS ${rssMiB} -> ${now.rssMiB} MiB`,
      `most grown: ${more.slice(0, 3).map(told).join('; ')}`,
    );
    return [
      ...(now.descriptors === descriptors ? [] : [`${name} has ${now.descriptors} descriptors, not ${descriptors}`]),
      ...(now.heapMiB - heapMiB <= V8_MIB + (BUILDS * KIB_A_BUILD) / 1_024
        ? []
        : [`${name} uses ${now.heapMiB} MiB of heap, not ${heapMiB}`]),
      ...more
        .filter(({ kind, more: count }) => count >= least + (ONCE[kind] ?? 0))
        .map((one) => `${name} keeps ${told(one)}`),
    ];
  });
}

function told({ kind, more, now }: Growth): string {
  return `${kind}: ${more} more, ${now}`;
}

/** Bytes of the master's database, with what it has not merged yet, and of the logs that are sealed. */
async function stored(): Promise<[number, number]> {
  const bytes = async (...patterns: string[]): Promise<number> => {
    const sizes = await runOk('find', [join(farm.masterDir, 'state'), ...patterns, '-type', 'f', '-printf', '%s\\n']);
    return sizes.split('\n').reduce((sum, size) => sum + Number(size), 0);
  };
  return [await bytes('-name', '*.sqlite*'), await bytes('-name', '*.log.gz')];
}

test('over builds and reconnects', async () => {
  await work(WARM_UP_BUILDS, WARM_UP_RECONNECTS);
  const before = await held();
  const [database, archive] = await stored();
  await work(BUILDS, RECONNECTS);
  const [databaseNow, archiveNow] = await stored();
  const each = (more: number): number => Math.round(more / BUILDS);
  console.log(
    `a build adds ${each(databaseNow - database)} bytes to the database, ${each(archiveNow - archive)} to the archive`,
  );
  expect(leaks(before, await held())).toEqual([]);
});
