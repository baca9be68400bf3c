import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { HostileWorker } from '../support/hostile-worker.ts';
import { figuresOf } from '../support/process-figures.ts';
import type { ProcessFigures } from '../support/process-figures.ts';
import { RssWatch } from '../support/rss.ts';
import { actsOnTerminal } from '../support/terminal.ts';
import { exec } from '../support/ssh-exec.ts';
import type { Ran } from '../support/ssh-exec.ts';
import { until } from '../support/until.ts';
import type { Message } from '../../src/protocol/messages.ts';
import { frame } from '../../src/protocol/frame.ts';

/** By how much all of it together may make the master's process grow at its worst moment; credit of one worker is 16 MiB. */
const GROWTH_MOST = 160 * 1024 * 1024;
/** And one flood, of which the master keeps nothing, or 16 MiB of an inventory. */
const FLOOD_GROWTH_MOST = 96 * 1024 * 1024;
/** Descriptors that the master may have more when all of it is over. */
const DESCRIPTORS_MORE = 4;
const MiB = 1024 * 1024;
/** Frames of an inventory that are read, and transfers that are begun. */
const INVENTORY_FRAMES_MOST = 1_000;
const TRANSFERS_MOST = 10_000;
/** 0xc1 begins nothing in MessagePack. */
const NO_MESSAGE = frame(Buffer.alloc(10_000, 0xc1));
const EVIL = { reason: '\u001b[2J' };

let farm: Farm;
let master: Daemon;
let before: ProcessFigures;
let watch: RssWatch;
let peer: HostileWorker | undefined;
/** Of the administrator, who is there all the time. */
let line: ssh2.Client;

/** A verb of the administrator, over the line that is open. */
const ask = (words: string): Promise<Ran> => exec(line, words);

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
  line = await administrator();
  expect((await ask('status')).status).toBe(0);
  before = await figuresOf(master.process.pid!);
  watch = new RssWatch(() => ({ master: master.process.pid }));
});
afterAll(async () => {
  watch.stop();
  line.destroy();
  await farm.close();
});

async function administrator(): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const privateKey = await readFile(farm.keyFile('admin'));
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    client.connect({ host: '127.0.0.1', port: farm.port, username: 'admin', privateKey });
  });
  // A line that goes is told by the verb that is asked by it.
  return client.on('error', () => undefined);
}

/** After each of them the others do not notice anything. */
afterEach(async () => {
  peer?.leave();
  peer = undefined;
  expect(master.process.exitCode).toBeNull();
  expect((await ask('status')).status).toBe(0);
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
  expect((await ask('force p/trap')).status).toBe(0);
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
  ['a gzip bomb', 'bad-field', { codec: 'gzip', length: 256 * 1024, lines: 0, size: bomb.length }, bomb],
  [
    'a gzip bomb that says to be one byte',
    'bad-field',
    { codec: 'gzip', length: 1, lines: 0, size: bomb.length },
    bomb,
  ],
  ['what is no gzip', 'bad-field', { codec: 'gzip' }, undefined],
  ['fewer bytes than it says', 'bad-field', { length: 6 }, undefined],
  ['more lines than it says', 'bad-field', { lines: 0 }, undefined],
  ['more bytes than the size of its chunk', 'unexpected', { size: 3 }, undefined],
  ['a chunk longer than any may be', 'bad-field', { length: 2 ** 31 }, undefined],
  ['a place before the begin', 'bad-field', { offset: -1 }, undefined],
  ['a place that no number holds', 'bad-field', { offset: 2 ** 60 }, undefined],
  ['a number that is none', 'bad-field', { offset: Number.NaN }, undefined],
  ['a piece of a chunk that was never begun', 'unexpected', { position: 3 }, undefined],
])('a worker that sends as its log %s is thrown out: %s', async (_what, code, lie, body) => {
  const { worker, append } = await trapped();
  if (!body) append(lie);
  else
    for (let at = 0; at < body.length; at += 30_000)
      append({ ...lie, position: at, bytes: body.subarray(at, at + 30_000) });
  expect(await worker.thrownOut()).toBe(code);
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
  // Of the last one, which is no name; the others are not heeded.
  expect(await worker.thrownOut()).toBe('bad-field');
  expect((await farm.log(honest!.id, 's')).equals(log)).toBe(true);
  expect((await farm.view(honest!.id)).result).toBe('success');
});

interface Flood {
  readonly most: number;
  readonly say: (worker: HostileWorker, index: number) => void;
  /** The goodbye by which it ends; `alive`: all of it is read, and the link goes on. */
  readonly end: string;
  /** What the master answers, of each kind. */
  readonly answers: Readonly<Record<string, number>>;
}

/** A ping that tells that all before it was read. */
const LAST_PING = 1_000_000;
/** Frames that are not the master's own: what it says without being asked may be among what is heard. */
const ANSWERS = [
  'pong',
  'inventory.answer',
  'file.data',
  'file.end',
  'file.ack',
  'file.refused',
  'log.ack',
  'log.want',
];

test.each<readonly [string, Flood]>([
  ['pings', { most: 5_000, say: (worker, n) => worker.say('ping', '', { n }), end: 'alive', answers: { pong: 5_000 } }],
  [
    'messages that nobody knows',
    { most: 5_000, say: (worker) => worker.say('gossip', '', { text: 'x'.repeat(200) }), end: 'alive', answers: {} },
  ],
  [
    'files that it begins, of no session',
    {
      most: 5_000,
      say: (worker, index) => worker.say('file.pull', 'S', { command: `c${index}`, fence: 1, offset: 0 }),
      end: 'alive',
      answers: {},
    },
  ],
  // Nothing runs there, so the first is heeded.
  ['words that it leaves', { most: 5_000, say: (worker) => worker.say('leave', '', EVIL), end: 'left', answers: {} }],
  [
    'inventories when it has said what it holds',
    { most: 5_000, say: (worker, n) => worker.say('inventory', '', many(n)), end: 'unexpected', answers: {} },
  ],
  [
    'bytes that are no message',
    { most: 100, say: (worker) => worker.write(NO_MESSAGE), end: 'malformed', answers: {} },
  ],
  [
    'bytes of a frame without end',
    { most: 1, say: (worker) => worker.write(Buffer.alloc(MiB, 0xff)), end: 'frame-too-long', answers: {} },
  ],
])('a flood of %s stops nobody, and has its end', async (_what, { most, say, end, answers }) => {
  const worker = await attach();
  const counted = (): Readonly<Record<string, number>> => countOf(worker.heard.slice(heard));
  const heard = worker.heard.length;
  const growth = new RssWatch(() => ({ master: master.process.pid }));
  const flooded = worker.flood(most, (index) => say(worker, index));
  expect((await ask('status')).status).toBe(0);
  const said = await flooded;
  if (end === 'alive') {
    expect(said).toBe(most);
    worker.say('ping', '', { n: LAST_PING });
    const isLast = ({ type, fields }: Message): boolean => type === 'pong' && 'n' in fields && fields.n === LAST_PING;
    await until('all of it is read', () => worker.isOver || worker.heard.some(isLast));
    expect(worker.isOver).toBe(false);
    expect(counted()).toEqual({ ...answers, pong: (answers['pong'] ?? 0) + 1 });
  } else {
    expect(await worker.thrownOut()).toBe(end);
    expect(counted()).toEqual(answers);
  }
  growth.stop();
  expect(growth.growth()['master']).toBeLessThan(FLOOD_GROWTH_MOST);
});

function countOf(heard: readonly Message[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { type } of heard) if (ANSWERS.includes(type)) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

test('files that it begins in a session of its own are so many', async () => {
  const worker = await attach({}, 'trunkline-control');
  for (const subsystem of ['trunkline-session', 'trunkline-session'] as const) await worker.open(subsystem);
  const bulk = await worker.open('trunkline-bulk');
  expect((await ask('force p/trap')).status).toBe(0);
  const { session, fields } = await worker.hears('session.open');
  const say = (index: number): void =>
    worker.say('file.pull', session, { command: `c${index}`, fence: fields.fence, offset: 0 }, bulk);
  await worker.flood(TRANSFERS_MOST + 1, say);
  expect(await worker.thrownOut()).toBe('unexpected');
  expect(worker.goodbye()?.message).toMatch(new RegExp(`more than ${TRANSFERS_MOST} transfers`));
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
  return { sessions: [], commands, last: false };
}

test('an inventory without an end is thrown out', async () => {
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
  await worker.flood(100_000, (index) => worker.say('inventory', '', many(index)));
  expect(await worker.thrownOut()).toBe('unexpected');
  expect(countOf(worker.heard)['inventory.answer'] ?? 0).toBeLessThanOrEqual(INVENTORY_FRAMES_MOST);
});

test.each([
  ['trunkline-control', 'too-many-channels'],
  ['trunkline-mux', 'unexpected'],
] as const)('channels without end are refused beside %s, and end the connection: %s', async (first, code) => {
  const worker = await attach({}, first);
  const opening = Array.from({ length: 1_000 }, () => worker.open('trunkline-session'));
  // Those that were asked for already are opened; the goodbye comes meanwhile.
  await Promise.allSettled(opening);
  expect(await worker.thrownOut()).toBe(code);
});

test('what it tells of itself is shown, and does not act on the terminal of whoever looks', async () => {
  const evil = '\u001b]0;mine\u0007\u009b2J\u202e\r\n';
  await attach({ host: evil, version: evil, facts: { os: evil, [evil]: evil } });
  for (const verb of ['workers', 'workers --json', 'status', 'status --json']) {
    const { status, out } = await ask(verb);
    expect(status, verb).toBe(0);
    expect(actsOnTerminal(out), verb).toBeUndefined();
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
