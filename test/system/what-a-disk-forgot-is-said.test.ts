import { randomUUID } from 'node:crypto';
import { cp, mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';
import { markedProcesses } from '../support/marked.ts';
import { until } from '../support/until.ts';

const MiB = 1024 * 1024;
/** The worker's disk is rid of its first segment when so much is stored. */
const SEGMENTS = 20 * MiB;

const PACE = 10_000_000;
/** In the environment of the builds' processes. */
const MARK = randomUUID();

let site: LongBuild;

beforeEach(async () => {
  site = await LongBuild.create({ bytesPerSecond: PACE, builderOptions: `env: { MARK: '${MARK}' },` });
});
afterEach(() => site.close());

function processes(): Promise<readonly string[]> {
  return markedProcesses(`MARK=${MARK}`);
}

/** All of the worker dies at once, as when its machine loses power. */
async function losePower(): Promise<void> {
  const keeper = await site.keeperPid();
  const daemon = site.worker.end('SIGKILL');
  process.kill(keeper, 'SIGKILL');
  for (const pid of await processes()) process.kill(Number(pid), 'SIGKILL');
  await daemon;
  await until('its processes are gone', async () => (await processes()).length === 0);
}

const state = (): string => join(site.farm.masterDir, 'state');

/** As the manual says, with the master stopped. */
async function backUp(): Promise<void> {
  await site.master.end();
  await cp(state(), join(site.farm.dir, 'backup'), { recursive: true });
}

/** The database alone: the folder of logs has what was sealed since. */
async function putBack(): Promise<void> {
  await site.master.end();
  for (const end of ['-wal', '-shm']) await rm(join(state(), `trunkline.sqlite${end}`), { force: true });
  await cp(join(site.farm.dir, 'backup/trunkline.sqlite'), join(state(), 'trunkline.sqlite'));
}

test('a spool that is gone makes the build an exception, and nothing is started again', async () => {
  await site.begin();
  await losePower();
  await rm(join(site.farm.workerDir('w'), 'spool'), { recursive: true });
  await site.startWorker();
  const view = await site.finished();
  expect(view).toMatchObject({ result: 'exception' });
  expect(view.summary).toMatch(/unknown.* its spool was lost; it is not started again by itself/);
  expect(view.steps[1]?.logs).toMatchObject([{ isComplete: true }]);
  expect(await site.starts()).toEqual(['first', 'print']);
});

test('a tail that is lost is marked in the log, which keeps what the master has', async () => {
  await site.begin();
  await losePower();
  const stored = await site.log();
  await truncate(join(await site.spoolFolder(), 'out.000000'), 100);
  await site.startWorker();
  const view = await site.finished();
  expect(view).toMatchObject({ result: 'exception' });
  const log = await site.log();
  expect(log.subarray(0, stored.length).equals(stored)).toBe(true);
  expect(log.subarray(stored.length).toString()).toMatch(
    /^\n\[trunkline: the worker lost the end of this output; .*\]\n$/,
  );
  expect(await site.starts()).toEqual(['first', 'print']);
});

test('a result that is there counts although the end of the output is lost', async () => {
  await site.begin();
  // The master does not hear the end.
  await site.worker.end('SIGKILL');
  const stored = await site.stored();
  await site.letGo();
  const dir = await site.spoolFolder();
  await until('the outcome is on disk', () => stat(join(dir, 'outcome.json')).catch(() => undefined));
  await truncate(join(dir, 'out.000000'), 100);
  await site.startWorker();
  expect(await site.finished()).toMatchObject({ result: 'success' });
  const log = await site.log();
  expect(log.length).toBeGreaterThan(stored);
  expect(log.toString()).toContain('[trunkline: the worker lost the end of this output; what came after is missing]');
});

test.each(['claim.json', 'outcome.json'])(
  'a damaged %s makes the build an exception, and the worker works on',
  async (file) => {
    await site.begin();
    if (file === 'outcome.json') {
      await site.worker.end('SIGKILL');
      await site.letGo();
      const dir = await site.spoolFolder();
      await until('the outcome is on disk', () => stat(join(dir, file)).catch(() => undefined));
      process.kill(await site.keeperPid(), 'SIGKILL');
    } else await losePower();
    await writeFile(join(await site.spoolFolder(), file), '');
    await site.startWorker();
    expect(await site.finished()).toMatchObject({ result: 'exception' });
    expect(await site.starts()).toEqual(['first', 'print']);
    await site.letGo();
    await site.begin();
    expect(await site.finished()).toMatchObject({ result: 'success' });
    expect((await site.starts()).filter((name) => name === 'print').length).toBe(2);
  },
);

test('a database that is put back in mid-build goes on, with a hole for what its worker has dropped', async () => {
  await site.begin();
  await backUp();
  await site.startMaster();
  await site.storesMore(SEGMENTS);
  await putBack();
  await site.startMaster();
  await site.storesMore(SEGMENTS);
  await site.letGo();
  expect(await site.finished()).toMatchObject({ result: 'success' });
  expect(await site.starts()).toEqual(['first', 'left', 'one', 'print', 'right']);
  const log = (await site.log()).toString();
  const [mark = '', bytes = ''] = /\n?\[trunkline: (\d+) bytes [^\]]*\]\n/.exec(log) ?? [];
  expect(Number(bytes), log.slice(0, 200)).toBeGreaterThan(MiB);
  // Before the hole and behind it nothing is missing: the lines are numbered, each as long as any other.
  const [before = '', after = ''] = log.split(mark);
  const line = 'line 000000000 of a log that must not lose a byte\n'.length;
  const lines = (Number(bytes) + before.length + after.length) / line;
  expect(Number.isInteger(lines)).toBe(true);
  expect(
    after.trimEnd().endsWith(`line ${String(lines - 1).padStart(9, '0')} of a log that must not lose a byte`),
  ).toBe(true);
  const numbers = [...after.matchAll(/^line (\d{9})/gm)].map(([, digits]) => Number(digits));
  expect(numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1)).toBe(true);
});

test('a database that is put back to before a build makes its worker end it, and mixes nothing of it into the next', async () => {
  await backUp();
  await site.startMaster();
  await until('the worker is here', async () => /a worker is here/.test(site.master.stderr()));
  await site.begin();
  const lost = site.id;
  await site.storesMore(9 * MiB);
  const log = (await site.farm.view(lost)).steps[1]?.logs[0]?.id;
  const file = join(state(), `logs/0/${log}.log.gz`);
  await until('its log is in the archive', async () => (await stat(file).catch(() => undefined))?.size);
  const command = await site.spoolFolder();
  await putBack();
  await site.startMaster();
  await until('what it ran is ended', async () => (await processes()).length === 0);
  await until('its spool is dropped', async () => (await stat(command).catch(() => 'gone')) === 'gone');
  expect(await site.farm.list()).toEqual([]);
  await rm(join(site.farm.dir, 'starts'), { recursive: true });
  await mkdir(join(site.farm.dir, 'starts'));
  await site.begin();
  // The very numbers of the one that never was.
  expect(site.id).toBe(lost);
  expect((await site.farm.view(site.id)).steps[1]?.logs[0]?.id).toBe(log);
  await site.storesMore(9 * MiB);
  await site.endsWell();
});
