import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import { markedProcesses } from '../support/marked.ts';
import { until } from '../support/until.ts';

let farm: Farm;

beforeAll(async () => {
  farm = await Farm.create();
  const mark = join(farm.dir, 'mark');
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Stop',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [
      sh('stubborn', \`trap "" TERM; export MARK=${mark}
        setsid sh -c 'trap "" TERM; sleep 1000' &
        timeout 1000 sh -c 'trap "" TERM; sleep 1000' &
        (sh -c 'sleep 1000 &' &)
        (env -i MARK=${mark} setsid sh -c 'trap "" TERM; sleep 1000; :' &)
        echo ready; sleep 1000\`, { killAfter: '1s' }),
      sh('never', 'true'),
      sh('tidy', 'echo tidy', { alwaysRun: true }),
    ] })],
    schedulers: [force()],
  })],
});
`);
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

/** Processes that carry the step's mark in their environment. */
function marked(): Promise<readonly string[]> {
  return markedProcesses(`MARK=${farm.dir}/mark`);
}

test('children that ignore TERM, in sessions of their own, are gone after a stop', async () => {
  const waited = farm.ssh(['force', 'p/b', '--wait']);
  const build = await until('the step prints', async () => {
    const [one] = await farm.list();
    return (one?.steps[0]?.logs[0]?.length ?? 0) > 0 ? one : undefined;
  });
  await until('its processes are there', async () => (await marked()).length >= 7);
  expect((await farm.ssh(['stop', String(build.id), '--reason', 'enough'])).status).toBe(0);
  expect((await waited).status).toBe(12);
  const view = await farm.view(build.id);
  expect(view.result).toBe('cancelled');
  expect(view.summary).toContain('enough');
  expect(view.steps.map((step) => step.result)).toEqual(['cancelled', null, 'success']);
  await until('nothing of it is left', async () => (await marked()).length === 0);
});

test('a request that waits is taken out of the queue', async () => {
  const running = farm.ssh(['force', 'p/b', '--wait']);
  const build = await until('the step runs', async () => (await farm.list()).find((one) => one.state === 'running'));
  const waits = JSON.parse((await farm.ssh(['force', 'p/b', '--json'])).text) as { id: number };
  const status = JSON.parse((await farm.ssh(['status', '--json'])).text) as {
    waiting: { id: number; waitsFor: string }[];
  };
  expect(status.waiting.map((request) => request.id)).toEqual([waits.id]);
  expect(status.waiting[0]?.waitsFor).toContain('w');
  expect((await farm.ssh(['stop', `request:${waits.id}`])).status).toBe(0);
  expect((await farm.ssh(['stop', String(build.id)])).status).toBe(0);
  expect((await running).status).toBe(12);
  expect((await farm.list()).length).toBe(2);
});
