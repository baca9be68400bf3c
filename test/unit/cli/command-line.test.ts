import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trunkline } from '../../support/farm.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-cli-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each([
  [[], /Usage: trunkline/],
  [['master'], /Usage: trunkline master/],
  [['bogus'], /^trunkline: unknown command 'bogus'/],
  [['worker', 'start'], /^trunkline: missing required argument 'dir'/],
  [['worker', 'init', 'x', '--name', 'w'], /^trunkline: required option '--master/],
])('wrong words %j are told, with status 64', async (words, told) => {
  const ran = await trunkline(words);
  expect(ran.stderr).toMatch(told);
  expect([ran.text, ran.status]).toEqual(['', 64]);
});

test('help that was asked for is no mistake', async () => {
  const ran = await trunkline(['worker', 'init', '--help']);
  expect([ran.stderr, ran.status]).toEqual(['', 0]);
  expect(ran.text).toMatch(/--host-key/);
});

test.each(['master', 'worker'])('a %s that is started in a folder of nobody makes none', async (noun) => {
  const ran = await trunkline([noun, 'start', join(dir, 'typo'), '--detach']);
  expect(ran.stderr).toMatch(
    new RegExp(`^trunkline: .*typo is no ${noun}'s folder: make one with "trunkline ${noun} init`),
  );
  expect(ran.status).toBe(1);
  expect(await readdir(dir)).not.toContain('typo');
});

test('a worker whose master cannot be asked for its key is told what to do, and its folder is not made', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ran = await trunkline(['worker', 'init', join(dir, 'w'), '--name', 'w', '--master', `127.0.0.1:${port}`]);
  server.close();
  expect(ran.stderr).toMatch(/^trunkline: .*--host-key .*\n$/);
  expect(ran.status).toBe(1);
  expect(await readdir(dir)).not.toContain('w');
});

test('a new worker is told lines that can be pasted, also when its folder has blanks', async () => {
  const folder = join(dir, 'my worker');
  const hostKey = `SHA256:${'A'.repeat(43)}`;
  const ran = await trunkline(['worker', 'init', folder, '--name', 'w', '--master', 'ci:22', '--host-key', hostKey]);
  expect([ran.stderr, ran.status]).toEqual(['', 0]);
  expect(ran.text).toContain(`  ssh -p 22 YOU@ci worker add w < '${folder}/key.pub'\n`);
  expect(ran.text).toContain(`  trunkline worker start '${folder}' --detach\n`);
});
