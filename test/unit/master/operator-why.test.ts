import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import { until } from '../../support/until.ts';
import { TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
const RITA: Asker = { name: 'rita', role: 'reader' };

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(`
workers: [worker('w'), worker('nowhere')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('b', { workers: ['w'], steps: [sh('s', 'while [ ! -e ${farm.dir}/go ]; do sleep 0.1; done', { timeout: '7m' })] }),
  builder('c', { workers: ['nowhere'], steps: [sh('s', 'true')] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('the queue in its order, and why each of it, and what runs, is where it is', async () => {
  const { operator } = farm;
  const runs = await farm.force('b');
  await until('it runs', async () => (await operator.status(RITA)).running[0]?.steps[0]?.state === 'running');
  const never = await farm.force('c');
  const behind = await farm.force('b');
  const queue = await operator.queue(RITA);
  expect(queue.map(({ id, position, priority }) => [id, position, priority])).toEqual([
    [never, 1, 0],
    [behind, 2, 0],
  ]);
  expect(queue[0]).toMatchObject({
    waitsFor: 'no worker of c is connected: nowhere has never connected',
    branch: null,
  });
  expect(queue[0]?.ageMs).toBeGreaterThanOrEqual(0);

  const [waits] = await operator.why(RITA, `request:${behind}`);
  expect(waits).toMatchObject({ request: behind, build: null, state: 'waiting' });
  expect(waits?.causes.map(({ code }) => code)).toEqual(['queue', 'behind']);
  expect(waits?.causes[0]?.text).toContain('w runs 1 of 1');

  const [build] = await operator.why(RITA, 'p/b#1');
  expect(build).toMatchObject({ request: runs, state: 'running', project: 'p', builder: 'b' });
  await until('its command is begun', async () => {
    const causes = (await operator.why(RITA, 'p/b#1'))[0]?.causes;
    return causes?.some(({ code, text }) => code === 'limit' && text.includes('7m without output'));
  });
  expect(await operator.why(RITA, `request:${runs}`)).toMatchObject([{ build: build?.build, state: 'running' }]);
  expect((await operator.why(RITA, 'p/b')).map(({ state, request }) => [state, request])).toEqual([
    ['running', runs],
    ['waiting', behind],
  ]);

  await farm.stopWorker('w');
  const away = await operator.why(RITA, String(build?.build));
  expect(away[0]?.causes[0]).toMatchObject({ code: 'worker-away', text: expect.stringMatching(/w is away since/) });
  await farm.startWorker('w');
  await writeFile(join(farm.dir, 'go'), '');
  await farm.watch(behind);
  expect(await operator.why(RITA, 'p/b#1')).toMatchObject([{ state: 'ended', causes: [{ code: 'ended' }] }]);
  expect(await operator.why(RITA, 'p/b')).toEqual([]);
  await operator.stop({ name: 'dora', role: 'developer' }, `request:${never}`, 'enough');
  const [ended] = await operator.why(RITA, `request:${never}`);
  expect(ended).toMatchObject({
    build: null,
    state: 'ended',
    causes: [{ text: 'it was taken out of the queue: enough' }],
  });
  expect(await operator.queue(RITA)).toEqual([]);
});

test('what names nothing is told so', async () => {
  const { operator } = farm;
  await expect(operator.why(RITA, 'q/b')).rejects.toMatchObject({ code: 'not-found' });
  await expect(operator.why(RITA, 'p/x')).rejects.toThrow('it has: b, c');
  await expect(operator.why(RITA, 'request:99')).rejects.toMatchObject({ code: 'not-found' });
  await expect(operator.why(RITA, '99')).rejects.toMatchObject({ code: 'not-found' });
  await expect(operator.why(RITA, 'nonsense')).rejects.toMatchObject({ code: 'usage' });
  await expect(operator.queue({ name: 'w', role: 'worker' })).rejects.toMatchObject({ code: 'forbidden' });
});
