import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import type { SchedulerView } from '../../../src/master/views/scheduler.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
const DORA: Asker = { name: 'dora', role: 'developer' };
const config = (quiet: string): string => `
workers: [worker('w')],
projects: [project('p', { source: git('/p.git', { branch: 'main' }),
  builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })],
  schedulers: [onChange({ branch: 'main', quiet: '${quiet}' }), nightly('0 3 * * *', { onlyIfChanged: true }), after('nightly'), force()],
})]`;

beforeAll(async () => {
  farm = await TryFarm.create(config('1h'));
  await farm.startMaster();
});
afterAll(() => farm.close());

async function view(name: string): Promise<SchedulerView | undefined> {
  return (await farm.operator.schedulers(DORA, 'p')).find((one) => one.name === name);
}

const send = (revision: string) => farm.operator.sendChanges(DORA, 'p', [{ branch: 'main', revision }]);

test('schedulers tell what they wait for, and when they act next', async () => {
  expect((await send('1'))[0]).toMatchObject({ requests: [], waitsFor: ['onChange', 'nightly'] });
  expect(await view('onChange')).toMatchObject({
    kind: 'onChange',
    builders: ['b'],
    off: null,
    pendingChanges: 1,
    waitsFor: expect.stringMatching(/^main is quiet until \d\d:\d\d UTC \(1 change\)$/) as string,
    last: null,
  });
  expect((await view('onChange'))?.nextAtMs).toBeGreaterThan(Date.now() + 3_000_000);
  expect(await view('nightly')).toMatchObject({ waitsFor: '0 3 * * * UTC, 1 change so far', pendingChanges: 1 });
  expect((await view('nightly'))?.nextAtMs).toBeGreaterThan(Date.now());
  expect(await view('after')).toMatchObject({ waitsFor: 'the end of p/nightly', nextAtMs: null });
  expect(await view('force')).toMatchObject({ waitsFor: 'somebody to ask' });
  await expect(farm.operator.schedulers(DORA, 'q')).rejects.toMatchObject({ code: 'not-found' });
});

test('what is switched off stays so over a restart and a reload, and tells who did it', async () => {
  expect(await farm.operator.switchScheduler(DORA, 'p/onChange', { isEnabled: false, reason: 'release' })).toEqual({
    dropped: 1,
  });
  await farm.operator.switchScheduler(ADMIN, 'p/force', { isEnabled: false });
  await farm.stopMaster();
  await farm.startMaster();
  await farm.config(config('2h'));
  await farm.operator.reload(ADMIN);
  expect(await view('onChange')).toMatchObject({
    off: { by: 'dora', reason: 'release' },
    nextAtMs: null,
    pendingChanges: 0,
    waitsFor: expect.stringMatching(/^is switched off by dora since \d\d:\d\d UTC: release$/) as string,
  });
  // What goes by the clock remembers that something changed.
  expect((await send('2'))[0]).toMatchObject({ requests: [], waitsFor: ['nightly'] });
  await expect(farm.force('b')).rejects.toThrow(
    /^scheduler p\/force is switched off by admin since .*; "scheduler enable p\/force" switches it on$/,
  );
  await farm.operator.switchScheduler(ADMIN, 'p/force', { isEnabled: true });
  expect(await farm.force('b')).toBeGreaterThan(0);
  await farm.operator.switchScheduler(ADMIN, 'p/onChange', { isEnabled: true });
  expect((await send('3'))[0]).toMatchObject({ waitsFor: ['onChange', 'nightly'] });
  const audit = await farm.operator.audit(ADMIN, 20);
  expect(audit.filter(({ action }) => action.endsWith('a scheduler'))).toHaveLength(4);
});

test('a scheduler that is not there cannot be switched', async () => {
  for (const name of ['p/none', 'none/force', 'p', '']) {
    const switched = farm.operator.switchScheduler(ADMIN, name, { isEnabled: false });
    await expect(switched).rejects.toMatchObject({ code: 'not-found' });
  }
});

test('a quiet period that a reload takes away is over, and its changes are built', async () => {
  await farm.config(config('1ms'));
  await farm.operator.reload(ADMIN);
  await farm.startWorker('w');
  await vi.waitFor(async () => expect((await view('onChange'))?.last).not.toBeNull(), { timeout: 60_000 });
  expect(await view('onChange')).toMatchObject({ pendingChanges: 0 });
});
