import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { InviteView } from '../../src/master/operator.ts';
import { BareAccount } from '../support/bare-account.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

const CONFIG = `
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'New machines',
  workers: [worker('n1'), worker('n2')],
  projects: [project('p', { builders: [builder('b', { workers: ['n1'], steps: [sh('greet', 'echo hello from $HOME; uname')] })], schedulers: [force()] })],
});
`;
/** What the design promises, in seconds, from the paste to the end of the first build. */
const PROMISED_SECONDS = 60;

let farm: Farm;
let master: Daemon;
beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(CONFIG);
  master = await farm.startMaster();
});
afterAll(() => farm.close());

async function invite(name: string, ...more: readonly string[]): Promise<InviteView> {
  const ran = await farm.ssh(['worker', 'invite', name, '--host', `127.0.0.1:${farm.port}`, '--json', ...more]);
  expect(ran.stderr).toBe('');
  return JSON.parse(ran.text) as InviteView;
}

const codeIn = (line: string): string => /join\+[0-9a-f]{32}/.exec(line)?.[0] ?? '';

test('one pasted line makes a bare account a worker, within a minute to its first build', async () => {
  const account = await BareAccount.make();
  onTestFinished(() => account.remove('n1'));
  const { line } = await invite('n1');
  expect(line).not.toContain('\n');
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);

  const began = performance.now();
  const pasted = await account.paste(line);
  expect([pasted.stderr, pasted.status]).toEqual(['', 0]);
  const connectedMs = performance.now() - began;
  await until('the build is begun', async () => (await farm.list()).length > 0);
  const build = await farm.finished(1);
  expect([build.result, build.summary, (await farm.log(1, 'greet')).toString()]).toEqual([
    'success',
    null,
    expect.stringContaining('hello from'),
  ]);
  const seconds = (performance.now() - began) / 1_000;
  process.stderr.write(
    `from paste to connected ${(connectedMs / 1_000).toFixed(1)} s, to the end of the first build ${seconds.toFixed(1)} s\n`,
  );
  expect(seconds).toBeLessThan(PROMISED_SECONDS);
  expect((await farm.log(1, 'greet')).toString()).toContain(`hello from ${account.home}`);

  const dir = join(account.home, 'trunkline-n1');
  expect(pasted.text).toContain(`worker n1 is connected to 127.0.0.1:${farm.port}; its folder is ${dir}`);
  expect(pasted.text).toMatch(/@reboot .*worker\.mjs start .*trunkline-n1 --detach/);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  // Nothing but the folder is left behind, and the code nowhere in it.
  expect((await readdir(account.home)).filter((name) => !name.startsWith('.'))).toEqual(['trunkline-n1']);
  expect(await readFile(join(dir, 'join.sh'), 'utf8')).not.toContain(codeIn(line));

  // The code is used up: what is pasted again finds all done.
  const again = await account.paste(line);
  expect([again.stderr, again.status]).toEqual(['', 0]);
  expect(again.text).toContain('worker n1 is connected');
  // So it does when the daemon was stopped meanwhile.
  await account.run([join(account.home, '.bin/node'), join(dir, 'worker.mjs'), 'stop', dir]);
  expect((await account.paste(line)).text).toContain('worker n1 is connected');
  await until('the log tells of it', () => master.stderr().includes('a worker was enrolled'));
  expect(master.stderr()).not.toContain(codeIn(line));
});
