import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { recordingLogger } from '../../config/try-config.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let farm: TryFarm;
let gate: string;
const log = recordingLogger();

const config = (never: string): string => {
  const on = (code: string): string => `{ workers: ['w'], buildIf: ${code}, steps: [sh('s', 'true')] }`;
  return `
workers: [worker('w')],
projects: [project('p', { schedulers: [force(), triggerable('told', { builders: ['no', 'text'] })], builders: [
  builder('yes', ${on("async ({ reason, properties }) => properties.builder === undefined && reason !== ''")}),
  builder('no', ${on('() => false')}),
  builder('text', ${on("({ id }) => 'request ' + (id > 0) + ' is for nobody'")}),
  builder('throws', ${on("() => { throw new Error('who knows'); }")}),
  builder('odd', ${on('() => 7')}),
  builder('never', ${on(never)}),
  builder('thinks', ${on(`async () => {
    while (!existsSync('${gate}')) await new Promise((resolve) => setTimeout(resolve, 20));
    return 'after some thought';
  }`)}),
  builder('asks', { workers: ['w'], steps: [trigger('t', { schedulers: ['told'], wait: true })] }),
  builder('plain', { workers: ['w'], steps: [sh('s', 'true')] }),
] })]`;
};

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  gate = await farm.path('flags', 'gate');
  await farm.config(config('false'));
  await farm.startMaster({ logger: log });
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('what is to be built is built', async () => {
  expect(await farm.build('yes')).toMatchObject({ number: 1, result: 'success' });
});

test.each([
  ['no', 'not built, for buildIf of no says no'],
  ['text', 'not built, for buildIf of text says: request true is for nobody'],
  ['never', 'not built, for buildIf of never says no'],
])('a no ends the request as skipped, with its words, and no worker is touched: %s', async (builder, reason) => {
  const request = await farm.force(builder);
  expect((await farm.watch(request)).at(-1)).toEqual({ kind: 'ended', result: 'skipped', reason });
  const [why] = await farm.operator.why(ADMIN, `request:${request}`);
  expect(why?.causes).toEqual([{ code: 'ended', text: `it ended as skipped in the queue: ${reason}` }]);
  expect(await farm.operator.builds(ADMIN, { project: 'p', builder, limit: 9 })).toEqual([]);
});

test.each([
  ['throws', 'not built, for buildIf of throws failed: Error: who knows'],
  ['odd', 'not built, for buildIf of odd failed: it answered 7, not true, false or a text that says why not'],
])('an error ends the request as an exception, and the log says so once: %s', async (builder, reason) => {
  for (const request of [await farm.force(builder), await farm.force(builder)])
    expect((await farm.watch(request)).at(-1)).toEqual({
      kind: 'ended',
      result: 'exception',
      reason: expect.stringContaining(reason) as string,
    });
  expect(log.lines.filter((line) => line.startsWith(`buildIf of p/${builder} failed`))).toHaveLength(1);
});

test('a build whose children nobody wants built is a success', async () => {
  expect(await farm.build('asks')).toMatchObject({
    result: 'success',
    children: [
      { builder: 'no', result: 'skipped' },
      { builder: 'text', result: 'skipped' },
    ],
  });
});

test('a reload has it asked anew', async () => {
  await farm.config(config('() => true'));
  await farm.operator.reload(ADMIN);
  expect(await farm.build('never')).toMatchObject({ number: 1, result: 'success' });
});

test('one that thinks holds up its own request alone, and is asked again by the next master', async () => {
  const request = await farm.force('thinks');
  await until('it is asked', async () => {
    const [why] = await farm.operator.why(ADMIN, `request:${request}`);
    return why?.causes[0]?.text === 'buildIf of thinks is asked';
  });
  expect(await farm.build('plain')).toMatchObject({ result: 'success' });
  await farm.stopMaster();
  await farm.startMaster({ logger: log });
  await writeFile(gate, '');
  expect((await farm.watch(request)).at(-1)).toMatchObject({ kind: 'ended', result: 'skipped' });
});
