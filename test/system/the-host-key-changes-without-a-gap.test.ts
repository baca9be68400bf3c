import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { askMaster } from '../../src/master/control.ts';
import type { HostKeyStatus } from '../../src/master/views/master.ts';
import { readHostKey } from '../../src/transport/ssh-client.ts';
import { Farm, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: Farm;
let master: Daemon;
let old: string;
beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, project, sh, worker } from 'trunkline';
const builders = [builder('b', { workers: ['w'], steps: [sh('t', 'true')] })];
export default defineMaster({ title: 'Keys', workers: [worker('w'), worker('late')], projects: [project('p', { builders })] });
`);
  master = await farm.startMaster();
  old = await farm.hostKey();
  for (const name of ['w', 'late']) await farm.addWorker(name);
  await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
});
afterAll(() => farm.close());

async function hostKey(...words: readonly string[]): Promise<string> {
  const ran = await trunkline(['master', 'hostkey', ...words, farm.masterDir]);
  if (ran.status !== 0) throw new Error(ran.stderr);
  return ran.text;
}

/** What the command asks, without a process each time. */
const status = (): Promise<HostKeyStatus> => askMaster(farm.masterDir, 'hostkey-status');

const statusWith = (worker: string, knows: boolean): Promise<HostKeyStatus> =>
  until(`${worker} ${knows ? 'knows' : 'does not know'} the next host key`, async () => {
    const now = await status();
    return now.workers.some((one) => one.worker === worker && one.knows === knows) ? now : undefined;
  });

const workerFile = async (name: string): Promise<{ readonly hostKeys: readonly string[]; readonly env?: unknown }> =>
  JSON.parse(await readFile(join(farm.workerDir(name), 'worker.json'), 'utf8')) as { hostKeys: string[] };

/** What a person does who has compared the new fingerprint. */
const forgetKnownHost = (): Promise<void> => rm(join(farm.dir, 'known_hosts'));

const shown = async (): Promise<string> => (await readHostKey({ host: '127.0.0.1', port: farm.port })).fingerprint;

test('workers learn the next host key, see it, and forget the old one; who does not know it holds the change up', async () => {
  const file = join(farm.workerDir('w'), 'worker.json');
  await writeFile(file, JSON.stringify({ ...(await workerFile('w')), env: { KEPT: 'yes' } }));
  expect(await hostKey('next')).toContain('the next host key is SHA256:');
  const told = await statusWith('w', true);
  const next = told.next ?? '';
  expect(told).toMatchObject({
    current: old,
    workers: [
      { worker: 'late', knows: false, why: 'never seen' },
      { worker: 'w', knows: true, why: null },
    ],
  });
  expect(JSON.parse(await hostKey('status', '--json'))).toEqual(told);
  expect(await hostKey('status')).toContain('not known yet to 1 of 2 workers: the next host key\n  late: never seen');
  expect(await workerFile('w')).toMatchObject({ hostKeys: [old, next], env: { KEPT: 'yes' } });
  const refused = await trunkline(['master', 'hostkey', 'use', farm.masterDir]);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('late (never seen) would be shut out');
  expect(await shown()).toBe(old);

  // It comes late, hears of it, and is away again when the key is changed.
  const late = await farm.startWorker('late');
  await statusWith('late', true);
  await late.end('SIGKILL');
  const session = await farm.workerIs('w', 'connected');
  expect(await hostKey('use')).toContain(`the host key is ${next} now`);
  expect(await shown()).toBe(next);
  expect(await farm.hostKey()).toBe(next);
  // The open connection stayed.
  await forgetKnownHost();
  expect((await farm.workerIs('w', 'connected')).sinceMs).toBe(session.sinceMs);
  expect(existsSync(join(farm.masterDir, 'host_key.next'))).toBe(false);

  await farm.startWorker('late');
  await until('the one that saw the new key has dropped the old one', async () => {
    const { hostKeys } = await workerFile('late');
    return hostKeys.join() === next;
  });
  expect((await workerFile('w')).hostKeys).toEqual([old, next]);
});

test('a master that is killed while its host key is changed starts, with one of the two', async () => {
  await hostKey('next');
  const { next } = await statusWith('w', true);
  await master.end('SIGKILL');
  master = await farm.startMaster();
  expect((await statusWith('w', true)).next).toBe(next);
  // Killed when the key was in its place, and its public half was not.
  const { current } = await status();
  await hostKey('use', '--force');
  const line = await readFile(join(farm.masterDir, 'host_key.old.pub'), 'utf8');
  await master.end('SIGKILL');
  await writeFile(join(farm.masterDir, 'host_key.pub'), line.trim().split('\n').at(-1) ?? '');
  master = await farm.startMaster();
  expect(await farm.hostKey()).toBe(next);
  expect(await status()).toMatchObject({ current: next, next: null, retired: expect.arrayContaining([current]) });
  await forgetKnownHost();
  await farm.workerIs('w', 'connected');
  await until('the old keys are dropped', async () => (await workerFile('w')).hostKeys.join() === next);
});
