import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { KeyRotation } from '../../src/master/views/worker.ts';
import { connectSsh } from '../../src/transport/ssh-client.ts';
import { SshConnectError } from '../../src/transport/ssh-connect-error.ts';
import { Farm, trunkline } from '../support/farm.ts';
import { until } from '../support/until.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: Farm;
let go: string;
beforeAll(async () => {
  farm = await Farm.create();
  go = join(farm.dir, 'go');
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Keys',
  workers: [worker('w'), worker('filed')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [
      sh('print', 'i=0; while [ ! -e ${go} ] || [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i"; [ $i -lt 2000 ] || sleep 0.05; done | tee ${join(farm.dir, 'truth')}'),
    ] })],
    schedulers: [force()],
  })],
});
`);
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
});
afterAll(() => farm.close());

const keyOf = async (name: string): Promise<string> => (await farm.workerKey(name)).split(' ')[1] ?? '';

async function rotate(...words: readonly string[]): Promise<{ status: number | null; list: readonly KeyRotation[] }> {
  const ran = await farm.ssh(['worker', 'rotate', ...words, '--json']);
  if (ran.text === '') throw new Error(ran.stderr);
  return { status: ran.status, list: JSON.parse(ran.text) as readonly KeyRotation[] };
}

test('a worker gets a new key in the middle of a build, from either side, and no byte of the log is lost', async () => {
  const first = await keyOf('w');
  await farm.ssh(['force', 'p/b']);
  const build = await until('the build prints', async () => {
    const [one] = await farm.list();
    return one && (one.steps[0]?.logs[0]?.length ?? 0) > 1_000 ? one : undefined;
  });
  const { status, list } = await rotate('w');
  expect(list).toMatchObject([{ worker: 'w', outcome: 'rotated', fingerprint: expect.stringMatching(/^SHA256:/) }]);
  expect(status).toBe(0);
  const second = await keyOf('w');
  expect(second).not.toBe(first);
  expect(existsSync(join(farm.workerDir('w'), 'key.next'))).toBe(false);
  expect((await stat(join(farm.workerDir('w'), 'key'))).mode & 0o777).toBe(0o600);

  const told = await trunkline(['worker', 'rotate', farm.workerDir('w')]);
  expect(told.text).toMatch(/^the worker has a new key: SHA256:/);
  expect(await keyOf('w')).not.toBe(second);

  await writeFile(go, '');
  const ended = await farm.finished(build.id);
  expect(ended).toMatchObject({ result: 'success' });
  const truth = createHash('sha256')
    .update(await readFile(join(farm.dir, 'truth')))
    .digest('hex');
  expect(await farm.logSha256(build.id, 'print')).toBe(truth);
});

/** True when the master lets the worker's name in with this key. */
async function isLetIn(privateKey: string): Promise<boolean> {
  try {
    const carrier = await connectSsh({
      host: '127.0.0.1',
      port: farm.port,
      user: 'w',
      privateKey,
      hostKeys: [await farm.hostKey()],
    });
    carrier.destroy('seen');
    return true;
  } catch (error) {
    if (error instanceof SshConnectError && error.code === 'refused-login') return false;
    throw error;
  }
}

test('the old key opens nothing any more, and a second daemon of the folder is still refused', async () => {
  const dir = farm.workerDir('w');
  const old = await readFile(join(dir, 'key'), 'utf8');
  expect(await isLetIn(old)).toBe(true);
  // Three times in the minute a daemon is believed that it comes beside itself; the fourth has to wait until it has left.
  for (const _ of ['third', 'fourth']) {
    expect((await rotate('--all')).list).toMatchObject([{ worker: 'w', outcome: 'rotated' }]);
  }
  expect(await isLetIn(old)).toBe(false);
  expect(await isLetIn(await readFile(join(dir, 'key'), 'utf8'))).toBe(true);
  expect((await trunkline(['worker', 'start', dir])).stderr).toMatch(/a worker runs in .* already/);
});

test('what cannot be rotated is told: a key of a file, a worker that is away', async () => {
  const key = (await farm.makeKey('filed')).trim();
  await writeFile(join(farm.masterDir, 'keys', 'workers', 'filed.pub'), `${key}\n`);
  const filed = await until('the file is read', async () => {
    const ran = await farm.ssh(['worker', 'rotate', 'filed']);
    return ran.text === '' ? undefined : ran;
  });
  expect(filed.status).toBe(69);
  expect(filed.text).toContain('filed: keeps its key: its key comes from the file keys/workers/filed.pub');
  expect((await farm.ssh(['worker', 'rotate', 'nobody'])).stderr).toContain('no worker nobody is admitted');
  await trunkline(['worker', 'stop', farm.workerDir('w')]);
  await farm.workerIs('w', 'disconnected');
  const { status, list } = await rotate('w');
  expect(list).toMatchObject([{ worker: 'w', outcome: 'away' }]);
  expect(status).toBe(69);
});
