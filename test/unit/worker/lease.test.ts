import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import type { Ordered } from './scripted-master.ts';
import { TryWorker } from './try-worker.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const HOUR_MS = 3_600_000;

let it: TryWorker;
beforeEach(async () => {
  it = await TryWorker.create();
  it.master.heartbeatMs = 100;
  it.master.seat('s1', 'p/b');
});
afterEach(() => it.close());

function spool(...names: string[]): string {
  return join(it.dir, 'spool', ...names);
}

async function ended(command: string): Promise<void> {
  await until(`${command} has ended`, () => existsSync(spool(command, 'outcome.json')));
}

async function heard(n: number): Promise<void> {
  await until(`lease ${n} is held`, () => it.master.heardOf('lease.held').some((held) => held.n === n));
}

async function prints(ordered: Ordered, text: string): Promise<void> {
  await until(`${ordered.command} prints ${text}`, () => it.master.log(ordered).includes(text));
}

test('answered pings renew a lease; while none is answered it runs out, though the line stands', async () => {
  const leased = it.master.run('u.1.1', 's1', 'sleep 6; echo later; sleep 1000', { leaseMs: 4_000 });
  const free = it.master.run('u.1.2', 's1', 'echo free; sleep 1000');
  await it.start();
  await prints(leased, 'later');
  // The worker's pings go out, the master's answers do not come.
  it.master.faults?.stall('master');
  await ended('u.1.1');
  expect(it.master.lines).toBe(1);
  it.master.faults?.flow('master');
  expect(await it.master.end(leased)).toMatchObject({ status: 'signalled', ended: 'deadline' });
  expect(free.outcome).toBeUndefined();
});

test('a longer lease for all holds until the next inventory is answered, then the verdicts’ leases do', async () => {
  const changed = it.master.run('u.1.1', 's1', 'echo begun; sleep 1000', { leaseMs: 3_000 });
  const freed = it.master.run('u.1.2', 's1', 'echo begun; sleep 1000', { leaseMs: 3_000 });
  await it.start();
  await prints(changed, 'begun');
  await prints(freed, 'begun');
  it.master.link?.send('lease', '', { n: 1, leaseMs: HOUR_MS });
  await heard(1);
  expect(existsSync(spool('.lease.json'))).toBe(true);
  it.master.run('u.1.3', 's1', 'echo begun; sleep 1000', { totalMs: 4_000 });
  await until('the third runs', () => existsSync(spool('u.1.3', 'process.json')));
  it.master.faults?.stall('master');
  await ended('u.1.3');
  expect(existsSync(spool('u.1.1', 'outcome.json'))).toBe(false);

  // What is told behind the answer is told when its verdicts are on disk.
  changed.leaseMs = 2 * HOUR_MS;
  freed.leaseMs = undefined;
  it.master.behindAnswer = { n: 2, leaseMs: 1 };
  it.master.faults?.cut();
  await heard(2);
  expect(JSON.parse(await readFile(spool('u.1.1', 'lease.json'), 'utf8'))).toEqual({ leaseMs: 2 * HOUR_MS });
  expect(JSON.parse(await readFile(spool('u.1.2', 'lease.json'), 'utf8'))).toEqual({});
  expect(JSON.parse(await readFile(spool('.lease.json'), 'utf8'))).toEqual({ leaseMs: 1 });

  changed.leaseMs = 3_000;
  it.master.faults?.cut();
  await until('the worker is back', () => it.master.lines === 3 && !existsSync(spool('.lease.json')));
  it.master.faults?.stall('master');
  await ended('u.1.1');
  expect(existsSync(spool('u.1.2', 'outcome.json'))).toBe(false);
  it.master.faults?.flow('master');
  expect(await it.master.end(changed)).toMatchObject({ ended: 'deadline' });
});

test('a start that was read late runs nothing', async () => {
  await it.start();
  await until('its session is open', () => it.master.heardOf('session.opened').length > 0);
  const { faults } = it.master;
  // Nor do pings arrive: a master that has heard of the worker meanwhile would be right to have it run.
  faults?.stall('worker');
  faults?.stall('master');
  const late = it.master.run('u.1.1', 's1', 'touch ran', { leaseMs: 1_000 });
  const sentAtMs = performance.now();
  await until('its lease is over', () => performance.now() > sentAtMs + 1_500);
  faults?.flow('master');
  await ended('u.1.1');
  faults?.flow('worker');
  expect(await it.master.end(late)).toMatchObject({ status: 'refused', ended: 'deadline' });
  expect(existsSync(it.work('p', 'b', 'ran'))).toBe(false);
});
