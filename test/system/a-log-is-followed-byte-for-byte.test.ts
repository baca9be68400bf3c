import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { run } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let master: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'gate'));
  // 20 MB of bytes that are no text, in two halves; between them the step waits for a file.
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
const bytes = (seed: number) => \`python3 -c 'import random,sys; r=random.Random(\${seed}); [sys.stdout.buffer.write(r.randbytes(100000)) for _ in range(100)]'\`;
export default defineMaster({
  title: 'Logs',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [
      builder('noisy', { workers: ['w'], steps: [
        sh('print', \`\${bytes(1)}; while [ ! -e ${join(farm.dir, 'gate')}/go ]; do sleep 0.05; done; \${bytes(2)}; echo $(date) > ${join(farm.dir, 'gate')}/done\`),
      ] }),
      builder('line', { workers: ['w'], steps: [sh('one-line', "python3 -c 'print(\\"x\\" * 20000000, end=str())'")] }),
      builder('streams', { workers: ['w'], steps: [
        sh('both', 'echo out; echo err >&2; echo again > /dev/stdout; cat'),
        sh('none', 'true'),
      ] }),
    ],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('log -f, begun in the middle, log --from and the whole log agree with what was printed', async () => {
  const waited = farm.ssh(['force', 'p/noisy', '--wait']);
  const build = await until('the build runs', async () => (await farm.list())[0]);
  await until(
    'the first half is stored',
    async () => ((await farm.view(build.id)).steps[0]?.logs[0]?.length ?? 0) >= 10_000_000,
  );
  const followed = farm.ssh(['log', '-f', '--raw', String(build.id), 'print']);
  const tail = farm.ssh(['log', '-f', '--raw', '--from', '9999999', String(build.id), 'print']);
  await writeFile(join(farm.dir, 'gate', 'go'), '');
  expect((await waited).status).toBe(0);
  const whole = await farm.log(build.id, 'print');
  // SHA-256 of what Python's generator prints for these seeds, computed by the same program.
  const printed = await run('python3', [
    '-c',
    'import random,sys\nfor s in (1,2):\n r=random.Random(s)\n for _ in range(100): sys.stdout.buffer.write(r.randbytes(100000))',
  ]);
  expect(whole.length).toBe(20_000_000);
  expect(sha(whole)).toBe(sha(printed.stdout));
  expect(sha((await followed).stdout)).toBe(sha(printed.stdout));
  expect(sha((await tail).stdout)).toBe(sha(printed.stdout.subarray(9_999_999)));
});

test('one line of 20 MB without a newline is kept whole', async () => {
  const build = await farm.build('p/line');
  expect(build.result).toBe('success');
  const log = await farm.log(build.id, 'one-line');
  expect(log.length).toBe(20_000_000);
  expect(sha(log)).toBe(sha(Buffer.alloc(20_000_000, 'x')));
});

test('both streams come in the order of the process, and /dev/stdout may be opened', async () => {
  const build = await farm.build('p/streams');
  expect(build.result).toBe('success');
  expect((await farm.log(build.id, 'both')).toString()).toBe('out\nerr\nagain\n');
  expect((await farm.log(build.id, 'none')).length).toBe(0);
});

test('a step that is not there and an offset past the end are told', async () => {
  const build = await farm.build('p/streams');
  const none = await farm.ssh(['log', String(build.id), 'nope']);
  expect([none.status, none.stderr]).toEqual([66, expect.stringContaining('nope')]);
  const past = await farm.ssh(['log', '--from', '1000', String(build.id), 'both']);
  expect(past.stdout.length).toBe(0);
});

test('who reads a log, or waits for a build, while the master stops is not told that this was the end', async () => {
  await rm(join(farm.dir, 'gate', 'go'), { force: true });
  const waited = farm.ssh(['force', 'p/noisy', '--wait']);
  const build = await until('the build runs', async () => (await farm.list()).find(({ state }) => state === 'running'));
  let begun: Promise<unknown> | undefined;
  const followed = farm.ssh(['log', '-f', '--raw', String(build.id), 'print'], {
    onSpawn: (child) => {
      begun = once(child.stdout!, 'data');
    },
  });
  await begun;
  await master.end('SIGTERM');
  // This is ssh's own: the connection went.
  expect((await followed).status).toBe(255);
  expect((await waited).status).toBe(255);
});
