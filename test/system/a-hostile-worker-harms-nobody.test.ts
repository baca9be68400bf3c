import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { HostileWorker } from '../support/hostile-worker.ts';
import { figuresOf } from '../support/process-figures.ts';
import type { ProcessFigures } from '../support/process-figures.ts';
import { RssWatch } from '../support/rss.ts';
import { actsOnTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

/** By how much all of it together may make the master's process grow at its worst moment; credit of one worker is 16 MiB. */
const GROWTH_MOST = 256 * 1024 * 1024;
/** Descriptors that the master may have more when all of it is over. */
const DESCRIPTORS_MORE = 4;
const MiB = 1024 * 1024;

let farm: Farm;
let master: Daemon;
let before: ProcessFigures;
let watch: RssWatch;
let peer: HostileWorker | undefined;

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
const one = (name, workers) => builder(name, { workers, steps: [sh('s', 'echo fine')] });
export default defineMaster({
  title: 'Hostile',
  workers: [worker('w'), worker('x', { maxBuilds: 100 })],
  projects: [project('p', { builders: [one('honest', ['w']), one('trap', ['x'])], schedulers: [force()] })],
});
`);
  master = await farm.startMaster();
  for (const name of ['w', 'x']) await farm.addWorker(name);
  await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
  expect((await farm.build('p/honest')).result).toBe('success');
  before = await figuresOf(master.process.pid!);
  watch = new RssWatch(() => ({ master: master.process.pid }));
});
afterAll(async () => {
  watch.stop();
  await farm.close();
});

/** After each of them the others do not notice anything. */
afterEach(async () => {
  peer?.leave();
  peer = undefined;
  expect(master.process.exitCode).toBeNull();
  expect((await farm.ssh(['status'])).status).toBe(0);
});

async function attach(
  ...more: Parameters<typeof HostileWorker.attach> extends [unknown, unknown, ...infer R] ? R : never
) {
  peer = await HostileWorker.attach(farm, 'x', ...more);
  return peer;
}

/** A command of its own to lie about. */
async function trapped() {
  const worker = await attach();
  expect((await farm.ssh(['force', 'p/trap'])).status).toBe(0);
  const start = await worker.takeCommand();
  const { command, fence } = start.fields;
  const head = { command, fence, offset: 0, length: 5, atMs: 1, lines: 1, codec: 'raw', size: 5, position: 0 };
  const append = (fields: object): void =>
    worker.say('log.append', start.session, { ...head, bytes: Buffer.from('true\n'), ...fields });
  return { worker, start, append };
}

const bomb = gzipSync(Buffer.alloc(64 * MiB));
test.each([
  // Each piece of it as the frames would carry it.
  ['a gzip bomb', { codec: 'gzip', length: 256 * 1024, lines: 0, size: bomb.length }, bomb],
  ['a gzip bomb that says to be one byte', { codec: 'gzip', length: 1, lines: 0, size: bomb.length }, bomb],
  ['what is no gzip', { codec: 'gzip' }, undefined],
  ['fewer bytes than it says', { length: 6 }, undefined],
  ['more lines than it says', { lines: 0 }, undefined],
  ['more bytes than the size of its chunk', { size: 3 }, undefined],
  ['a chunk longer than any may be', { length: 2 ** 31 }, undefined],
  ['a place before the begin', { offset: -1 }, undefined],
  ['a place that no number holds', { offset: 2 ** 60 }, undefined],
  ['a number that is none', { offset: Number.NaN }, undefined],
  ['a piece of a chunk that was never begun', { position: 3 }, undefined],
])('a worker that sends as its log %s is thrown out', async (_what, lie, body) => {
  const { worker, append } = await trapped();
  if (!body) append(lie);
  else
    for (let at = 0; at < body.length; at += 30_000)
      append({ ...lie, position: at, bytes: body.subarray(at, at + 30_000) });
  expect(await worker.thrownOut()).toMatch(/^[a-z-]+$/);
});

test('log bytes far ahead, twice and overlapping are asked for anew, or dropped; the log is what fits', async () => {
  const { worker, start, append } = await trapped();
  append({});
  append({ offset: 2 ** 40 });
  append({ offset: 0 });
  append({ offset: 3 });
  append({ offset: 5, bytes: Buffer.from('next\n') });
  const { command, fence } = start.fields;
  worker.say('command.finished', start.session, {
    command,
    fence,
    outputEnd: 10,
    outcome: { status: 'exited', exitCode: 0, startedAtMs: 1, endedAtMs: 2 },
  });
  const [build] = await farm.list();
  await until('it is asked for what fits', () => worker.heard.some(({ type }) => type === 'log.want'));
  append({ offset: 5, bytes: Buffer.from('next\n') });
  expect((await farm.finished(build!.id)).result).toBe('success');
  expect((await farm.log(build!.id, 's')).toString()).toBe('true\nnext\n');
});

test('a log, results and files for commands that are not its own change nothing', async () => {
  const { worker, start, append } = await trapped();
  const [honest] = await farm.list().then((builds) => builds.filter(({ builder }) => builder === 'honest'));
  const log = await farm.log(honest!.id, 's');
  const { fence } = start.fields;
  for (const command of [start.fields.command.replace(/^[^.]+/, 'SOMEBODY'), 'x.0.1', '../../etc']) {
    append({ command, bytes: Buffer.from('lies\n') });
    worker.say('command.finished', start.session, {
      command,
      fence,
      outputEnd: 5,
      outcome: { status: 'exited', exitCode: 0, startedAtMs: 1, endedAtMs: 2 },
    });
    worker.say('file.push', start.session, { command, fence, size: 10 });
    worker.say('file.pull', start.session, { command, fence, offset: 0 });
  }
  await worker.thrownOut();
  expect((await farm.log(honest!.id, 's')).equals(log)).toBe(true);
  expect((await farm.view(honest!.id)).result).toBe('success');
});

test.each<readonly [string, number, (worker: HostileWorker, index: number) => void]>([
  ['pings', 20_000, (worker, index) => worker.say('ping', '', { n: index })],
  ['messages that nobody knows', 20_000, (worker) => worker.say('gossip', '', { text: 'x'.repeat(200) })],
  ['words that it leaves', 5_000, (worker) => worker.say('leave', '', { reason: '\u001b[2J' })],
  [
    'inventories without an end',
    20_000,
    (worker, index) => worker.say('inventory', '', { ...many(index), last: false }),
  ],
  [
    'files that it begins',
    10_000,
    (worker, index) => worker.say('file.pull', 'S', { command: `c${index}`, fence: 1, offset: 0 }),
  ],
  ['rubbish', 1, (worker) => worker.write(randomBytes(MiB))],
])('a flood of %s stops nobody', async (_what, most, say) => {
  const worker = await attach();
  const flooded = worker.flood(most, (index) => say(worker, index));
  expect((await farm.ssh(['status'])).status).toBe(0);
  await flooded;
});

function many(index: number) {
  const commands = Array.from({ length: 100 }, (_, at) => ({
    command: `c${index}.0.${at}`,
    session: 'S',
    fence: 1,
    state: 'running',
    outputStart: 0,
    outputEnd: 2 ** 50,
  }));
  return { sessions: [], commands };
}

test('an inventory before the first one is answered, again and again, is thrown out', async () => {
  peer = await HostileWorker.login(farm, 'x');
  const worker = peer;
  worker.say('hello', '', {
    protocols: [1],
    implementation: 'x',
    version: '1',
    worker: 'x',
    installId: 'i',
    bootId: 'b',
    processId: 'p',
    capabilities: [],
    host: 'h',
    facts: {},
  });
  await worker.hears('welcome');
  await worker.flood(100_000, (index) => worker.say('inventory', '', { ...many(index), last: false }));
  expect(await worker.thrownOut()).toMatch(/unexpected|cut/);
});

test('channels without end are refused, and end the connection', async () => {
  const worker = await attach();
  const opened = Array.from({ length: 5_000 }, () =>
    worker.carrier.openChannel('trunkline-session').then(
      () => 1,
      () => 0,
    ),
  );
  const count = (await Promise.all(opened)).reduce<number>((sum, one) => sum + one, 0);
  expect(count).toBeLessThan(5_000);
  await worker.thrownOut();
});

test('what it tells of itself is shown, and does not act on the terminal of whoever looks', async () => {
  const evil = '\u001b]0;mine\u0007\u009b2J\u202e\r\n';
  await attach({ host: evil, version: evil, facts: { os: evil, [evil]: evil } });
  for (const verb of ['workers', 'workers --json', 'status', 'status --json']) {
    const { stdout } = await farm.ssh(verb.split(' '));
    expect(actsOnTerminal(stdout), verb).toBeUndefined();
  }
  expect(actsOnTerminal(Buffer.from(master.stderr()))).toBeUndefined();
});

test('all of it took bounded memory, no descriptor is left, and others are built for', async () => {
  expect((await farm.build('p/honest')).result).toBe('success');
  const pid = master.process.pid!;
  await until(
    'its descriptors are let go of',
    async () => (await figuresOf(pid)).descriptors <= before.descriptors + DESCRIPTORS_MORE,
  );
  process.stdout.write(`after all of it: ${watch.told()} MB\n`);
  expect(watch.growth()['master']).toBeLessThan(GROWTH_MOST);
});
