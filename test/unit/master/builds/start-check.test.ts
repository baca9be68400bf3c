import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { recordingLogger } from '../../config/try-config.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let farm: TryFarm;
/** Exists: the check says yes. */
let flag: string;
/** A line for each time that the check was asked. */
let asked: string;
const log = recordingLogger();

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  flag = await farm.path('flags', 'yes');
  asked = await farm.path('flags', 'asked');
  const check = (code: string, more = "recheck: '200ms'"): string =>
    `canStartBuild: { check: async (ctx) => { ${code} }, ${more} }, steps: [sh('s', 'echo built')]`;
  await farm.config(`
workers: [worker('w', { maxBuilds: 3, labels: { os: 'debian' } }), worker('v', { maxBuilds: 3 }), worker('one')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('asks', { workers: ['w'], ${check(`
    const { output } = await ctx.run('if test -e ${flag}; then echo free; fi; echo asked >> ${asked}', { capture: 100 });
    return output.trim() === 'free' || 'no room yet';`)} }),
  builder('facts', { workers: ['w'], ${check(`
    const { request, worker } = ctx;
    return JSON.stringify([request.owner, request.project, worker.name, worker.labels, worker.running, worker.maxBuilds, typeof await ctx.now()]);`)} }),
  builder('throws', { workers: ['w'], ${check("throw new TypeError('no such thing');", "recheck: '1h'")} }),
  builder('odd', { workers: ['w'], ${check('return 1;', "recheck: '1h'")} }),
  builder('hangs', { workers: ['w'], ${check(`await ctx.run('echo $$ > ${asked}.pid; exec sleep 1000'); return true;`, "deadline: '500ms', recheck: '1h'")} }),
  builder('never', { workers: ['w'], ${check('await new Promise(() => {});', "deadline: '500ms', recheck: '1h'")} }),
  builder('slow', { workers: ['w'], ${check(`await ctx.run('touch ${asked}.slow; while test ! -e ${flag}; do sleep 0.05; done'); return true;`)} }),
  builder('either', { workers: ['w', 'v'], ${check("return ctx.worker.name === 'v';", "recheck: '1h'")} }),
  builder('greedy', { workers: ['one'], ${check('await new Promise(() => {});', "deadline: '500ms', recheck: '1ms'")} }),
  builder('modest', { workers: ['one'], steps: [sh('s', 'true')] }),
] })]`);
  await farm.startMaster({ logger: log });
  for (const name of ['w', 'v', 'one']) await farm.startWorker(name);
});
afterAll(() => farm.close());

/** Waits until `why` says so of a request, and answers the whole of it. */
async function why(request: number, text: string): Promise<string> {
  return await until(`request ${request} waits for: ${text}`, async () => {
    const [view] = await farm.operator.why(ADMIN, `request:${request}`);
    const told = view?.causes[0]?.text ?? '';
    return told.includes(text) ? told : undefined;
  });
}

async function built(request: number): Promise<BuildView> {
  const last = (await farm.watch(request)).at(-1);
  if (last?.kind !== 'build') throw new Error(`no build of request ${request}`);
  return last.build;
}

const configFile = (): string => join(farm.masterDir, 'trunkline.config.ts');
const cancel = (request: number): Promise<void> => farm.operator.stop(ADMIN, `request:${request}`, 'enough');

test('a no keeps the request waiting with its words, and leaves no trace; a yes starts its build as if nothing had been', async () => {
  await rm(flag, { force: true });
  const request = await farm.force('asks');
  expect(await why(request, 'no room yet')).toMatch(
    /^no worker of asks takes builds: w: canStartBuild: no room yet; asked again at [\d:]{8} UTC$/,
  );
  await until('it is asked again', async () => (await readFile(asked, 'utf8')).split('\n').length > 3);
  expect(await farm.operator.builds(ADMIN, { builder: 'asks', project: 'p', limit: 10 })).toEqual([]);
  await writeFile(flag, '');
  const build = await built(request);
  expect(build).toMatchObject({ number: 1, result: 'success', retryOf: null });
  expect(build.steps.map(({ name, logs }) => [name, logs.length])).toEqual([['s', 1]]);
  expect(await farm.build('asks')).toMatchObject({ number: 2, result: 'success' });
});

test('the function is told of the request and of the worker', async () => {
  const request = await farm.force('facts');
  expect(await why(request, 'canStartBuild: [')).toContain('["admin","p","w",{"os":"debian"},0,3,"number"]');
  await cancel(request);
});

test.each([
  ['throws', 'canStartBuild failed: TypeError: no such thing'],
  ['odd', 'canStartBuild failed: TypeError: canStartBuild returned 1; return true, false, or a text'],
  ['never', 'canStartBuild failed: it has not answered after 500ms'],
])('one that %s is a no, told where people look, and others go on', async (builder, text) => {
  const request = await farm.force(builder);
  expect(await why(request, 'canStartBuild failed')).toContain(text);
  await writeFile(flag, '');
  expect(await farm.build('asks')).toMatchObject({ result: 'success' });
  await cancel(request);
  const told = log.lines.filter((line) => line.startsWith(`canStartBuild of p/${builder} on w failed`));
  expect(told).toHaveLength(1);
});

test('a command that outlives the deadline is ended on the worker', async () => {
  const request = await farm.force('hangs');
  await why(request, 'it has not answered after 500ms');
  const pid = Number(await readFile(`${asked}.pid`, 'utf8'));
  await until('the command is gone', () => !existsSync(`/proc/${pid}`));
  await cancel(request);
});

test('requests whose check is never answered leave the worker to others for as long as they had it', async () => {
  const greedy = [await farm.force('greedy'), await farm.force('greedy')];
  await why(greedy[0]!, 'is asked');
  expect(await farm.build('modest')).toMatchObject({ number: 1, result: 'success' });
  expect(await why(greedy[1]!, 'lets others')).toContain(
    'one: canStartBuild said no, and lets others come first until ',
  );
  for (const request of greedy) await cancel(request);
});

test('another worker is asked when one says no', async () => {
  expect(await farm.build('either')).toMatchObject({ worker: 'v', number: 1, result: 'success' });
});

test('while it is asked the request waits, and a stop cancels it without a build', async () => {
  await rm(flag, { force: true });
  const request = await farm.force('slow');
  await until('it is asked', () => existsSync(`${asked}.slow`));
  expect(await why(request, 'is asked')).toBe('canStartBuild of slow is asked on w');
  expect((await farm.operator.status(ADMIN)).running).toEqual([]);
  expect((await farm.operator.queue(ADMIN)).map(({ id }) => id)).toEqual([request]);
  const [id] = (await farm.operator.workers(ADMIN)).find(({ name }) => name === 'w')!.builds;
  await farm.operator.stop(ADMIN, String(id), 'not today');
  expect(await farm.watch(request)).toEqual([{ kind: 'ended', result: 'cancelled', reason: 'not today' }]);
  await expect(farm.operator.build(ADMIN, String(id))).rejects.toMatchObject({ code: 'not-found' });
});

test('a request whose build is being checked is stopped as one that waits', async () => {
  await rm(flag, { force: true });
  await rm(`${asked}.slow`, { force: true });
  const request = await farm.force('slow');
  await until('it is asked', () => existsSync(`${asked}.slow`));
  await cancel(request);
  expect(await farm.watch(request)).toEqual([{ kind: 'ended', result: 'cancelled', reason: 'enough' }]);
  await expect(cancel(request)).rejects.toMatchObject({ code: 'conflict', message: `request ${request} has ended` });
});

test('a configuration that is mended is asked at once, whatever the one before said', async () => {
  const request = await farm.force('throws');
  await why(request, 'canStartBuild failed');
  const before = await readFile(configFile(), 'utf8');
  await writeFile(configFile(), before.replace("throw new TypeError('no such thing');", 'return true;'));
  await farm.operator.reload(ADMIN);
  expect(await built(request)).toMatchObject({ number: 1, result: 'success' });
  await writeFile(configFile(), before);
  await farm.operator.reload(ADMIN);
});

test('a master that is started anew goes on asking, and the command is not run twice', async () => {
  await rm(flag, { force: true });
  await rm(`${asked}.slow`, { force: true });
  const request = await farm.force('slow');
  await until('it is asked', () => existsSync(`${asked}.slow`));
  await rm(`${asked}.slow`);
  await farm.stopMaster();
  await farm.startMaster({ logger: log });
  await writeFile(flag, '');
  expect(await built(request)).toMatchObject({ number: 1, result: 'success' });
  expect(existsSync(`${asked}.slow`)).toBe(false);
});
