import { rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { recordingLogger } from '../../config/try-config.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let farm: TryFarm;
let gate: string;
const log = recordingLogger();

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  gate = await farm.path('flags', 'gate');
  const boards = "['red', 'blue'].map((name) => masterLock(name))";
  const cpu = "workerLock('cpu', { slots: 2 })";
  const on = (locks: string): string => `{ workers: ['w'], locks: ${locks}, steps: [sh('s', 'true')] }`;
  await farm.config(`
workers: [worker('w', { maxBuilds: 9 })],
locks: [...${boards}, ${cpu}],
projects: [project('p', { schedulers: [force()], builders: [
  builder('board', { workers: ['w'], locks: async ({ properties }) => ${boards}.filter(({ name }) => name === properties.board),
    steps: [sh('s', 'while test ! -e ${gate}; do sleep 0.05; done')] }),
  builder('throws', ${on("() => { throw new Error('who knows'); }")}),
  builder('unknown', ${on("() => [masterLock('green')]")}),
  builder('other', ${on("() => [masterLock('red', { slots: 5 })]")}),
  builder('greedy', ${on(`() => [${cpu}.counting(3)]`)}),
  builder('none', ${on("() => 'red'")}),
  builder('both', { workers: ['w'], locks: () => ${boards}, steps: [sh('s', 'true', { locks: [masterLock('red')] })] }),
  builder('thinks', ${on(`async () => {
    while (!existsSync('${gate}.thought')) await new Promise((resolve) => setTimeout(resolve, 20));
    return [${cpu}.exclusive()];
  }`)}),
  builder('plain', { workers: ['w'], steps: [sh('s', 'true')] }),
] })]`);
  await farm.startMaster({ logger: log });
  await farm.startWorker('w');
});
afterAll(() => farm.close());

const force = async (board: string): Promise<number> =>
  (await farm.operator.force(ADMIN, { project: 'p', builder: 'board' }, { properties: { board } })).id;

async function whyOf(request: number): Promise<string | undefined> {
  const [view] = await farm.operator.why(ADMIN, `request:${request}`);
  return view?.causes[0]?.text;
}

test('each build holds what the function named for it: those of one lock wait for each other, others do not', async () => {
  await rm(gate, { force: true });
  const first = await force('red');
  const running = async (count: number) =>
    await until(`${count} run`, async () => {
      const { running: now } = await farm.operator.status(ADMIN);
      return now.length === count ? now : undefined;
    });
  const [build] = await running(1);
  const second = await force('red');
  const third = await force('blue');
  const nobodys = await force('none');
  await running(3);
  expect(await whyOf(second)).toContain('waits for lock red (1 of 1): held by p/board#1 since ');
  const holders = async (name: string) =>
    (await farm.operator.locks(ADMIN, name))[0]?.places.flatMap((place) => place.holders.map((one) => one.build));
  expect(await holders('red')).toEqual([build?.id]);
  expect((await farm.operator.locks(ADMIN, 'red'))[0]?.waiters).toMatchObject([{ request: second, units: 1 }]);
  // What it holds, and what the waiting one wants, outlives the master.
  await farm.stopMaster();
  await farm.startMaster({ logger: log });
  await farm.connected('w', true);
  await until('it waits again', async () => (await whyOf(second))?.startsWith('waits for lock red'));
  expect(await holders('red')).toEqual([build?.id]);
  await writeFile(gate, '');
  for (const request of [first, second, third, nobodys])
    expect((await farm.watch(request)).at(-1)).toMatchObject({ kind: 'build', build: { result: 'success' } });
  expect(await holders('red')).toEqual([]);
});

test.each([
  ['throws', 'Error: who knows'],
  ['unknown', 'lock "green" is not in the configuration, or not like this; name it in locks of defineMaster()'],
  ['other', 'lock "red" is not in the configuration, or not like this'],
  ['greedy', 'it asks for 3 units of lock "cpu", which has 2 slots on worker "w"'],
  ['none', 'give a list of locks'],
  ['both', 'step "s": it asks for lock "red", which its builder holds all the time'],
])('what cannot be had ends the request as an exception that says so: %s', async (builder, text) => {
  const end = (await farm.watch(await farm.force(builder))).at(-1);
  expect(end).toMatchObject({
    kind: 'ended',
    result: 'exception',
    reason: expect.stringContaining(text) as string,
  });
  expect(log.lines.filter((line) => line.startsWith(`locks of p/${builder} failed`))).toHaveLength(1);
});

test('a request whose function thinks is held with that reason, and holds up nobody', async () => {
  const request = await farm.force('thinks');
  await until('it is asked', async () => (await whyOf(request)) === 'locks of thinks is asked');
  expect(await farm.build('plain')).toMatchObject({ result: 'success' });
  await writeFile(`${gate}.thought`, '');
  expect((await farm.watch(request)).at(-1)).toMatchObject({ kind: 'build', build: { result: 'success' } });
});
