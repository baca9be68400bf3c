import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoginView } from '../../src/master/views/pass.ts';
import { Farm } from '../support/farm.ts';
import { freePort, isOpen } from '../support/ports.ts';
import { run } from '../support/run.ts';
import type { Ran } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let forward: Forward;
const forwards: Forward[] = [];

/** A stock `ssh -N -L` that runs. */
interface Forward {
  readonly process: ChildProcess;
  readonly url: string;
  readonly stderr: () => string;
}

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Behind <ssh>',
  workers: [worker('w')],
  projects: [project('p', { builders: [builder('b', { workers: ['w'], steps: [sh('echo', 'echo hi')] })], schedulers: [force()] })],
});
`);
  await farm.admit('readers', 'rita');
  await farm.startMaster();
  await farm.addWorker('w');
  forward = await open('rita', 'localhost:8080');
});
afterAll(async () => {
  for (const { process } of forwards) process.kill('SIGKILL');
  await farm.close();
});

async function open(user: string, to: string): Promise<Forward> {
  const port = await freePort();
  const args = farm.sshArgs(user).map((word) => (word === 'LogLevel=ERROR' ? 'LogLevel=INFO' : word));
  const words = ['-N', '-L', `${port}:${to}`, '-o', 'ExitOnForwardFailure=yes', ...args];
  const child = spawn('ssh', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await until('ssh listens', () => {
    if (child.exitCode !== null) throw new Error(`ssh ended: ${said}`);
    return isOpen(port);
  });
  const made = { process: child, url: `http://localhost:${port}`, stderr: () => said };
  forwards.push(made);
  return made;
}

function throughOnce(user: string, to: string): Promise<Ran> {
  const args = farm.sshArgs(user).map((word) => (word === 'LogLevel=ERROR' ? 'LogLevel=INFO' : word));
  return run('ssh', [...args.slice(0, -1), '-W', to, ...args.slice(-1)]);
}

test('a person signs in by a link, and sees what the verb tells', async () => {
  const login = JSON.parse((await farm.ssh(['login', '--json'], { user: 'rita' })).text) as LoginView;
  const here = new URL(new URL(login.url).pathname, forward.url);
  expect(await (await fetch(here)).text()).toContain('<button>Sign in</button>');
  const signedIn = await fetch(here, { method: 'POST', redirect: 'manual' });
  expect([signedIn.status, (await fetch(here, { method: 'POST' })).status]).toEqual([303, 410]);
  const headers = { cookie: signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
  const page = await (await fetch(forward.url, { headers })).text();
  expect(page).toContain('<h1>Behind &lt;ssh&gt;</h1>');
  expect(page).toContain('rita, reader');
  const told = await farm.ssh(['status', '--json'], { user: 'rita' });
  expect(await (await fetch(`${forward.url}/api/v1/status`, { headers })).json()).toEqual(JSON.parse(told.text));
});

test('the link is told with the line that makes it work', async () => {
  const { text } = await farm.ssh(['login'], { user: 'rita' });
  expect(text).toMatch(
    /^http:\/\/localhost:8080\/login\/tll_\S+\n.*ssh -p PORT -N -L 8080:localhost:8080 rita@HOST\n$/,
  );
});

test('a program shows a token, which is told once and listed without its secret', async () => {
  const made = await farm.ssh(['token', 'add', "'my dash'", '--expires', '2d'], { user: 'rita' });
  const [token = '', told = ''] = made.text.split('\n');
  expect(told).toMatch(/shown once/);
  const ask = (): Promise<Response> =>
    fetch(`${forward.url}/api/v1/status`, { headers: { authorization: `Bearer ${token}` } });
  expect((await ask()).status).toBe(200);
  const list = await farm.ssh(['token', 'list']);
  expect(list.text).toMatch(/rita\s+reader.*my dash/);
  expect(list.text).not.toContain(token.split('_')[2]);
  expect((await farm.ssh(['token', 'add', 'x', '--role', 'operator'], { user: 'rita' })).status).toBe(77);
  expect((await farm.ssh(['token', 'revoke', token.split('_')[1] ?? ''], { user: 'rita' })).status).toBe(0);
  const refused = await ask();
  expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
});

test('a hundred pages at a time come through one connection', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${forward.url}/healthz`)));
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(Array<string>(100).fill('ok\n'));
});

test('no other address is led to', async () => {
  for (const to of ['localhost:22', `127.0.0.1:${farm.port}`, 'localhost:8081', 'example.org:8080', '[::2]:8080']) {
    const { status, stderr } = await throughOnce('admin', to);
    expect([to, status]).toEqual([to, 255]);
    expect(stderr).toContain('the only way on from here is the web address: ssh -L 8080:localhost:8080');
  }
  const back = await run('ssh', ['-N', '-R', '0:localhost:22', '-o', 'ExitOnForwardFailure=yes', ...farm.sshArgs()]);
  expect(back.status).toBe(255);
});

test("a worker's key leads nowhere", async () => {
  const words = farm.sshArgs('w').map((word) => (word === farm.keyFile('w') ? join(farm.workerDir('w'), 'key') : word));
  const { status, stderr } = await run('ssh', [...words.slice(0, -1), '-W', 'localhost:8080', ...words.slice(-1)]);
  expect([status, stderr]).toEqual([255, expect.stringContaining('stdio forwarding failed')]);
});

test('a removed key ends the forward', async () => {
  const ended = once(forward.process, 'exit');
  await rm(join(farm.masterDir, 'keys', 'readers', 'rita.pub'));
  await ended;
  await expect(fetch(`${forward.url}/healthz`)).rejects.toThrow();
});

test('a port is opened only where master.json says so', async () => {
  const other = await Farm.create();
  try {
    const port = await freePort();
    const settings = { listen: { host: '127.0.0.1', port: 0 }, web: { port, listen: true } };
    await writeFile(join(other.masterDir, 'master.json'), JSON.stringify(settings));
    await other.startMaster();
    expect(await (await fetch(`http://localhost:${port}/healthz`)).text()).toBe('ok\n');
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401);
  } finally {
    await other.close();
  }
});
