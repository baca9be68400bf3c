import { createHash } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import { makeLogWriter } from '../support/log-writer.ts';
import { smallDisk } from '../support/small-disk.ts';
import type { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const MB = 1_000_000;
const TOTAL = 30 * MB;
const STOP = 5 * MB;
/** Of output, after which the command would be ended. */
const SILENCE_MS = 3_000;

let farm: Farm;
let disk: SmallDisk | undefined;

beforeEach(async () => {
  disk = undefined;
  farm = await Farm.create();
  const writer = await makeLogWriter(farm.dir);
  const command = (stops: string): string => `python3 ${writer} ${farm.dir} ${TOTAL} 0 0 ${stops}`;
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Full disks',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [
      builder('straight', { workers: ['w'], steps: [sh('print', '${command('')}', { timeout: '${SILENCE_MS}ms' })] }),
      builder('stopping', { workers: ['w'], steps: [sh('print', '${command(String(STOP))}')] }),
    ],
    schedulers: [force()],
  })],
});
`);
});
afterEach(async () => {
  // First: a place where something is mounted cannot be removed.
  await disk?.remove();
  await farm.close();
});

async function begin(builder: string): Promise<number> {
  expect((await farm.ssh(['force', `p/${builder}`])).status).toBe(0);
  return (await until('the build runs', async () => (await farm.list())[0])).id;
}

const count = async (): Promise<number> => Number(await readFile(join(farm.dir, 'count'), 'utf8').catch(() => '0'));

/** Until it stands still where it is not all. */
async function blocked(): Promise<number> {
  let before = -1;
  return await until('the command blocks in write()', async () => {
    const now = await count();
    const stands = now > 0 && now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return stands && now < TOTAL && now;
  });
}

async function endsWell(build: number): Promise<void> {
  const view = await farm.finished(build);
  expect(view, JSON.stringify(view)).toMatchObject({ result: 'success', heldBack: null });
  const [whole] = (await readFile(join(farm.dir, 'hashes'), 'utf8')).split('\n');
  const log = await farm.log(build, 'print');
  expect(log.length).toBe(TOTAL);
  expect(createHash('sha256').update(log).digest('hex')).toBe(whole);
  expect((await farm.list()).length).toBe(1);
}

test("with too little free on the worker's disk a command waits, people see why, and nothing is lost", async ({
  skip,
}) => {
  await farm.startMaster();
  await farm.addWorker('w');
  disk = await smallDisk(32 * MB, join(farm.workerDir('w'), 'spool'));
  if (!disk) {
    skip('no small file system can be mounted here');
    return;
  }
  const file = join(farm.workerDir('w'), 'worker.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, spool: { keepFree: '8MB' } }));
  const worker = await farm.startWorker('w');
  disk.fill(4 * MB);
  const build = await begin('straight');
  const told =
    "output of a command held back: less than 8 MB free on the worker's disk; make room there, and it goes on";
  const seen = await until('people see why', async () => {
    const { heldBack, state } = await farm.view(build);
    return state === 'finished' ? state : heldBack;
  });
  expect(seen).toBe(told);
  const heldAtMs = performance.now();
  expect((await farm.ssh(['workers'])).text).toContain(`w: ${told}`);
  expect((await farm.ssh(['build', String(build)])).text).toContain(told);
  expect((await farm.ssh(['status'])).text).toContain(`build ${build}: ${told}`);
  expect(worker.stderr()).toContain('output held back: less than 8 MB free on the disk of the spool');
  const at = await blocked();
  await until('it was held for longer than a silence may last', () => performance.now() - heldAtMs > 2 * SILENCE_MS);
  expect(await count()).toBe(at);
  expect(await farm.view(build)).toMatchObject({ state: 'running' });
  disk.relieve();
  await endsWell(build);
  await until('the worker tells that it goes on', () => worker.stderr().includes('room on the disk again'));
});

test("with the master's own disk full builds wait on their workers, and go on when there is room", async ({ skip }) => {
  const state = join(farm.masterDir, 'state');
  await cp(state, `${state}.was`, { recursive: true });
  disk = await smallDisk(96 * MB, state);
  if (!disk) {
    skip('no small file system can be mounted here');
    return;
  }
  await cp(`${state}.was`, state, { recursive: true });
  const master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
  const build = await begin('stopping');
  await until('the first part is written', async () => (await count()) >= STOP);
  disk.fill(0);
  await writeFile(join(farm.dir, `go-${STOP}`), '');
  await until('the master tells', () => master.stderr().includes('no room left for the database'));
  await until('the command is done, or waits', async () => (await count()) > STOP);
  const fullAtMs = performance.now();
  await until('it was full for a while', () => performance.now() - fullAtMs > 3_000);
  expect(master.process.exitCode).toBe(null);
  expect(await farm.view(build)).toMatchObject({ state: 'running' });
  disk.relieve();
  await endsWell(build);
});
