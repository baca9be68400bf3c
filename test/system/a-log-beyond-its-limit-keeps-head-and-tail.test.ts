import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSize } from '../../src/base/size.ts';
import { KEEPER_LIMITS } from '../../src/worker/keeper/keeper-limits.ts';
import { layOutLog } from '../../src/worker/keeper/log-layout.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { makeLogWriter } from '../support/log-writer.ts';
import { RssWatch } from '../support/rss.ts';
import { until } from '../support/until.ts';

/** `TRUNKLINE_LOG_LIMIT=1GiB TRUNKLINE_LOG_BYTES=3GB` for the real thing, which takes minutes; CONTRIBUTING.md. */
const LIMIT = process.env['TRUNKLINE_LOG_LIMIT'] ?? '8MB';
const TOTAL = parseSize(process.env['TRUNKLINE_LOG_BYTES'] ?? '30MB');
const limit = parseSize(LIMIT);
const { headBytes, tailBytes } = layOutLog(KEEPER_LIMITS, limit).cap!;
/** In the head; and so far behind it that some was left out. */
const STOPS = [Math.floor(headBytes / 2), Math.floor((TOTAL + limit) / 2)] as const;
const STORY_MS = 60_000 + TOTAL / 1_000;

let farm: Farm;
let master: Daemon;
let worker: Daemon;

beforeEach(async () => {
  farm = await Farm.create();
  const writer = await makeLogWriter(farm.dir);
  const words = [farm.dir, TOTAL, headBytes, tailBytes, ...STOPS].join(' ');
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Limits',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [sh('print', 'python3 ${writer} ${words}', { logLimit: '${LIMIT}' })] })],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  worker = await farm.startWorker('w');
});
afterEach(() => farm.close());

interface SeenLog {
  /** SHA-256 of the head and of what follows the marks. */
  readonly head: string;
  readonly tail: string;
  /** What stands between them. */
  readonly marks: string;
}

/** Reads a log as a person does and takes it apart, without holding a large one in memory. */
async function readParts(build: number): Promise<SeenLog> {
  const ssh = spawn('ssh', [...farm.sshArgs(), 'log', '--raw', String(build), 'print'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const head = createHash('sha256');
  const behind: Buffer[] = [];
  let seen = 0;
  ssh.stdout.on('data', (piece: Buffer) => {
    const ofHead = piece.subarray(0, Math.max(0, headBytes - seen));
    head.update(ofHead);
    if (ofHead.length < piece.length) behind.push(Buffer.from(piece.subarray(ofHead.length)));
    seen += piece.length;
  });
  const [status] = (await once(ssh, 'close')) as [number];
  expect(status).toBe(0);
  const rest = Buffer.concat(behind);
  const [marks = ''] = /^(?:\n\[trunkline: [^\n]*\]\n)*/.exec(rest.subarray(0, 2_000).toString('latin1')) ?? [];
  const tail = createHash('sha256').update(rest.subarray(marks.length)).digest('hex');
  return { head: head.digest('hex'), marks, tail };
}

async function begin(): Promise<number> {
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);
  return (await until('the build runs', async () => (await farm.list())[0])).id;
}

const count = async (): Promise<number> => Number(await readFile(join(farm.dir, 'count'), 'utf8').catch(() => '0'));
const go = (stop: number): Promise<void> => writeFile(join(farm.dir, `go-${stop}`), '');
const stored = async (build: number): Promise<number> => (await farm.view(build)).steps[0]?.logs[0]?.length ?? 0;

async function endsWell(build: number): Promise<void> {
  const view = await farm.finished(build, STORY_MS);
  expect(view, JSON.stringify(view)).toMatchObject({ result: 'success' });
  expect(await stored(build)).toBe(TOTAL);
  const [, head, tail] = (await readFile(join(farm.dir, 'hashes'), 'utf8')).split('\n');
  const log = await readParts(build);
  expect(log).toMatchObject({ head, tail });
  const [notice, leftOut] = log.marks.split('\n').filter((line) => line !== '');
  expect(notice).toMatch(/^\[trunkline: the log has reached its limit: .* are kept\]$/);
  expect(leftOut).toBe(`[trunkline: ${TOTAL - limit} bytes were left out here: the log had reached its limit]`);
}

test(
  'its command goes on, and the daemons need no more memory for it',
  async () => {
    const build = await begin();
    const claim = JSON.parse(
      await until('it is claimed', async () => {
        const spool = join(farm.workerDir('w'), 'spool');
        const name = (await readdir(spool)).find((entry) => !entry.startsWith('.'));
        return name && (await readFile(join(spool, name, 'claim.json'), 'utf8').catch(() => undefined));
      }),
    ) as { readonly keeper: { readonly pid: number } };
    const memory = new RssWatch(() => ({
      master: master.process.pid,
      worker: worker.process.pid,
      keeper: claim.keeper.pid,
    }));
    const beganMs = performance.now();
    for (const stop of STOPS) await go(stop);
    await endsWell(build);
    memory.stop();
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
    console.log(`${TOTAL / 1e6} MB under ${LIMIT}: ${seconds} s; resident, MB: ${memory.told()}`);
  },
  2 * STORY_MS,
);

test(
  'nor does it matter who is killed meanwhile, and a follower reads of it while it runs',
  async () => {
    const build = await begin();
    await until('the command waits within the head', async () => (await count()) >= STOPS[0], STORY_MS);
    await worker.end('SIGKILL');
    worker = await farm.startWorker('w');
    await go(STOPS[0]);
    const follower = spawn('ssh', [...farm.sshArgs(), 'log', '-f', '--raw', String(build), 'print']);
    let followed = '';
    follower.stdout.on('data', (piece: Buffer) => (followed = followed.slice(-1_000) + piece.toString('latin1')));
    const isLeft = once(follower, 'close');
    await until('the command waits behind the head', async () => (await count()) >= STOPS[1], STORY_MS);
    await until(
      'the follower reads of the limit',
      () => followed.slice(-1_000).includes('the log has reached its limit'),
      STORY_MS,
    );
    expect(followed).not.toContain('left out here');
    await Promise.all([worker.end('SIGKILL'), master.end('SIGKILL')]);
    await isLeft;
    worker = await farm.startWorker('w');
    master = await farm.startMaster();
    await go(STOPS[1]);
    await endsWell(build);
  },
  2 * STORY_MS,
);
