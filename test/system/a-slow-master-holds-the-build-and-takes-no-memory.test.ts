import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSize } from '../../src/base/size.ts';
import { MiB } from '../../src/protocol/limits.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { faultStream } from '../support/fault-stream.ts';
import type { FaultStream } from '../support/fault-stream.ts';
import { makeLogWriter } from '../support/log-writer.ts';
import { RssWatch } from '../support/rss.ts';
import { until } from '../support/until.ts';

/** `TRUNKLINE_SLOW_BYTES=1GB` for more of it; CONTRIBUTING.md. */
const TOTAL = parseSize(process.env['TRUNKLINE_SLOW_BYTES'] ?? '120MB');
const STOP = 20_000_000;
const SPOOL_BYTES = 16 * MiB;
/** Over the spool's limit: a read of the pipe, and what is not yet a whole segment. */
const SLACK_BYTES = 4 * MiB;
/** What a daemon may grow by, however long the log is: buffers for its chunks, and what the collector leaves lying. */
const MEMORY_BYTES = 96 * MiB;
/** Well below the time after which a silent peer is given up. */
const HELD_MS = 5_000;
const STORY_MS = 120_000 + TOTAL / 1_000;

let farm: Farm;
let relay: FaultStream | undefined;
let master: Daemon;
let worker: Daemon;

beforeEach(async () => {
  farm = await Farm.create();
  const writer = await makeLogWriter(farm.dir);
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Slow',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [sh('print', 'python3 ${writer} ${farm.dir} ${TOTAL} 0 0 ${STOP}')] })],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  relay = await faultStream(farm.port);
  await farm.addWorker('w', relay.port);
  const file = join(farm.workerDir('w'), 'worker.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, spool: { perCommand: '16MiB', keepFree: '0B' } }));
  worker = await farm.startWorker('w');
});
afterEach(async () => {
  await farm.close();
  await relay?.close();
});

const count = async (): Promise<number> => Number(await readFile(join(farm.dir, 'count'), 'utf8').catch(() => '0'));

async function spoolBytes(): Promise<number> {
  const dir = join(farm.workerDir('w'), 'spool');
  const command = (await readdir(dir)).find((name) => !name.startsWith('.') && !name.endsWith('.sock')) ?? '';
  const names = (await readdir(join(dir, command))).filter((name) => name.startsWith('out.'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, command, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The hash of the stored log, read as a person does. */
async function storedHash(build: number): Promise<string> {
  const ssh = spawn('ssh', [...farm.sshArgs(), 'log', '--raw', String(build), 'print'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const hash = createHash('sha256');
  ssh.stdout.on('data', (piece: Buffer) => hash.update(piece));
  expect(await once(ssh, 'close')).toEqual([0, null]);
  return hash.digest('hex');
}

async function story(hold: () => void, release: () => void): Promise<void> {
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);
  const build = (await until('the build runs', async () => (await farm.list())[0])).id;
  await until('the first part is written', async () => (await count()) >= STOP);
  await until('it is stored', async () => ((await farm.view(build)).steps[0]?.logs[0]?.length ?? 0) > STOP / 2);
  const memory = new RssWatch(() => ({ master: master.process.pid, worker: worker.process.pid }));
  hold();
  await writeFile(join(farm.dir, `go-${STOP}`), '');
  let before = -1;
  const at = await until('the command blocks in write()', async () => {
    const now = await count();
    const stands = now > STOP && now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return stands && now;
  });
  expect(at).toBeLessThan(TOTAL);
  const heldAtMs = performance.now();
  await until('it was held for a while', () => performance.now() - heldAtMs > HELD_MS);
  expect(await count()).toBe(at);
  expect(await spoolBytes()).toBeLessThan(SPOOL_BYTES + SLACK_BYTES);
  release();
  const view = await farm.finished(build, STORY_MS);
  memory.stop();
  expect(view, JSON.stringify(view)).toMatchObject({ result: 'success' });
  const [whole] = (await readFile(join(farm.dir, 'hashes'), 'utf8')).split('\n');
  expect(await storedHash(build)).toBe(whole);
  console.log(`${TOTAL / 1e6} MB; resident, MB: ${memory.told()}`);
  for (const [name, bytes] of Object.entries(memory.growth())) {
    expect(bytes, `${name}: ${memory.told()}`).toBeLessThan(MEMORY_BYTES);
  }
}

test(
  'a master that stands still',
  () =>
    story(
      () => void master.process.kill('SIGSTOP'),
      () => void master.process.kill('SIGCONT'),
    ),
  2 * STORY_MS,
);

test(
  'a line that takes nothing more',
  () =>
    story(
      () => relay?.stall(),
      () => relay?.flow(),
    ),
  2 * STORY_MS,
);
