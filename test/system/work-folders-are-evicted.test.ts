import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MiB } from '../../src/protocol/limits.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { smallDisk } from '../support/small-disk.ts';
import type { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: Farm;
let disk: SmallDisk | undefined;
let master: Daemon;
let worker: Daemon;
const work = (builder: string): string => join(farm.workerDir('w'), 'work', 'p', builder);
beforeAll(async () => {
  farm = await Farm.create();
  const leave = `sh('leave', 'head -c ${6 * MiB} /dev/zero > file')`;
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
const workers = ['w'];
export default defineMaster({
  title: 'Room',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [
      builder('old', { workers, steps: [${leave}] }),
      builder('new', { workers, steps: [${leave}] }),
      builder('long', { workers, steps: [${leave}, sh('wait', 'until [ -e ${farm.dir}/go ]; do sleep 0.05; done'), sh('look', 'ls; ls ..')] }),
    ],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  const dir = join(farm.workerDir('w'), 'work');
  await mkdir(dir, { recursive: true });
  disk = await smallDisk(48 * MiB, dir);
  const file = join(farm.workerDir('w'), 'worker.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, work: { keepFree: '16MiB' }, spool: { keepFree: '0B' } }));
  worker = await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
});
afterAll(async () => {
  await worker.end('SIGKILL');
  await disk?.remove();
  await farm.close();
});

test('the folder of a build is kept while it is in use, whoever is killed, and the others go by age', async () => {
  if (!disk) return;
  for (const target of ['p/old', 'p/new']) expect(await farm.build(target)).toMatchObject({ result: 'success' });
  await farm.ssh(['force', 'p/long']);
  const build = await until('the build waits in its second step', async () =>
    (await farm.list()).find(({ builder, steps }) => builder === 'long' && steps[1]?.state === 'running'),
  );
  await worker.end('SIGKILL');
  await master.end('SIGKILL');
  disk.fill(12 * MiB);
  master = await farm.startMaster();
  worker = await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
  await until('the oldest folder is gone', () => !existsSync(work('old')));
  await until('there is room again', () => disk && disk.freeBytes() >= 16 * MiB);
  expect([existsSync(work('new')), existsSync(work('long'))]).toEqual([true, true]);

  disk.fill(12 * MiB);
  await writeFile(join(farm.dir, 'go'), '');
  expect(await farm.finished(build.id)).toMatchObject({ result: 'success' });
  // Room was made before the last command began.
  expect((await farm.log(build.id, 'look')).toString()).toBe('file\nlong\n');
  expect(existsSync(work('new'))).toBe(false);
  disk.relieve();

  // Its folder goes when its build is over, and the builder whose folder had gone builds in a new one.
  disk.fill(12 * MiB);
  expect(await farm.build('p/old')).toMatchObject({ result: 'success' });
  await until('the folder of the build that is over is gone', () => !existsSync(work('long')));
});
