import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { LoginView } from '../../src/master/views/pass.ts';
import type { WorkerView } from '../../src/master/views/worker.ts';
import { Farm, PROGRAM, PYTHON_WORKER, startDaemon, startProgram, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { Namespaces, whyNoNamespaces } from '../support/namespaces.ts';
import { run, runOk } from '../support/run.ts';
import type { Ran, RunOptions } from '../support/run.ts';
import { startStockSshd } from '../support/stock-sshd.ts';
import type { StockSshd } from '../support/stock-sshd.ts';
import { isMissing } from '../support/tools.ts';
import { until } from '../support/until.ts';

/**
 * A farm whose firewall lets one port through; each host is a network namespace. Run by hand:
 * `npm run build && sudo npx vitest run --project system test/system/one-port`.
 */
const PORT = 2222;
const WEB_PORT = 8080;
const WORKERS = ['behind-nat', 'jumping', 'socks', 'python'] as const;

const whyNot = isMissing('ssh', 'nc', 'microsocks', 'python3') ? 'programs are missing' : await whyNoNamespaces();
if (whyNot !== undefined) process.stderr.write(`skipped: one port for everybody: ${whyNot}\n`);

const story = test.skipIf(whyNot !== undefined);

let network: Namespaces;
let farm: Farm;
let address: string;
let gate: StockSshd;
let gateAddress: string;
let proxyAddress: string;
let hostKey: string;
let tree: string;
const children: ChildProcess[] = [];
/** Those that the farm does not know. */
const daemons: Daemon[] = [];
let master: Daemon;

/** Of the farm's host: nothing new comes in but to these ports. */
const onlyPorts = (...ports: readonly number[]): string => `chain input {
  type filter hook input priority 0; policy drop;
  iif lo accept; ct state established,related accept; tcp dport { ${ports.join(', ')} } accept;
}`;

beforeAll(async () => {
  if (whyNot !== undefined) return;
  network = new Namespaces();
  await network.create();
  address = await network.host('farm');
  gateAddress = await network.host('gate');
  proxyAddress = await network.host('proxy');
  for (const name of ['person', 'home', 'inner', 'cell', 'desk']) await network.host(name);
  await network.hostBehind('home', 'laptop');
  await network.filter('farm', onlyPorts(PORT));
  // Two hosts may speak to one other each, and to nobody else.
  await network.filter(
    'router',
    `chain pass {
      type filter hook forward priority 0; policy accept;
      ct state established,related accept;
      iifname inner ip daddr ${gateAddress} tcp dport 22 accept; iifname inner drop;
      iifname cell ip daddr ${proxyAddress} tcp dport 1080 accept; iifname cell drop;
    }`,
  );
  gate = await startStockSshd([], { within: network.within('gate'), host: gateAddress, port: 22 });
  start('proxy', 'microsocks', ['-i', proxyAddress, '-p', '1080']);
  await makeFarm();
});

afterAll(async () => {
  if (whyNot !== undefined) return;
  for (const daemon of daemons) await daemon.end('SIGKILL');
  for (const child of children) child.kill('SIGKILL');
  await farm?.close();
  await gate?.close();
  await network.close();
});

function start(host: string, program: string, words: readonly string[]): ChildProcess {
  const [ip = '', ...rest] = network.within(host);
  const child = spawn(ip, [...rest, program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

/** Runs a program on a host. */
function on(host: string, words: readonly string[], options?: RunOptions): Promise<Ran> {
  const [ip = '', ...rest] = network.within(host);
  return run(ip, [...rest, ...words], options);
}

/** A firewall that drops is known by its silence. */
const SILENCE_S = 1;
const reaches = async (host: string, to: string, port: number): Promise<boolean> =>
  (await on(host, ['nc', '-z', '-w', String(SILENCE_S), to, String(port)])).status === 0;
const canReach = (host: string, to: string, port: number): Promise<unknown> =>
  until(`${host} reaches ${to}:${port}`, () => reaches(host, to, port));

/** Stock ssh with a verb, from the person's host. */
function ssh(words: readonly string[], options?: RunOptions): Promise<Ran> {
  return on('person', ['ssh', ...farm.sshArgs('admin').slice(0, -1), `admin@${address}`, ...words], options);
}

async function json<T>(words: readonly string[]): Promise<T> {
  const ran = await ssh([...words, '--json']);
  if (ran.text === '') throw new Error(`${words.join(' ')}: ${ran.stderr}`);
  return JSON.parse(ran.text) as T;
}

async function makeFarm(): Promise<void> {
  farm = await Farm.create();
  const repository = await farm.repository('hello', { text: 'one\n' });
  await farm.config(`
import { builder, checkout, defineMaster, force, git, project, sh, tryBuilds, worker } from 'trunkline';
const names = ${JSON.stringify(WORKERS)};
export default defineMaster({
  title: 'One port',
  workers: names.map((name) => worker(name)),
  projects: [project('p', {
    source: git(${JSON.stringify(repository)}),
    builders: [
      ...names.map((name) => builder(name, { workers: [name], steps: [sh('print', 'seq 1 20000')] })),
      builder('tried', { workers: ['jumping'], steps: [checkout(), sh('show', 'cat text')] }),
    ],
    schedulers: [force(), tryBuilds()],
  })],
});
`);
  await writeFile(
    join(farm.masterDir, 'master.json'),
    JSON.stringify({ listen: { host: '0.0.0.0', port: PORT }, web: { host: 'localhost', port: WEB_PORT } }),
  );
  master = await farm.startMaster({}, { within: network.within('farm') });
  hostKey = await farm.hostKey();
  tree = join(farm.dir, 'tree');
  await runOk('git', ['clone', '-q', repository, tree]);
}

/** `worker init` with more words, `worker add` by the person, and its start on a host. */
async function addWorker(name: string, host: string, master: string, ...more: readonly string[]): Promise<void> {
  const words = ['worker', 'init', farm.workerDir(name), '--name', name, '--master', master, '--host-key', hostKey];
  const made = await trunkline([...words, ...more]);
  if (made.status !== 0) throw new Error(`worker init failed: ${made.stderr}`);
  await letIn(name, await farm.workerKey(name));
  if (more.includes('--jump')) {
    // The line that `init` prints, for the jump host.
    const line = made.text.split('\n').find((one) => one.trim().startsWith('restrict,')) ?? '';
    await appendFile(`${gate.keyFile}.pub`, `${line.trim()}\n`);
  }
  await farm.startWorker(name, {}, { within: network.within(host) });
}

async function addPythonWorker(master: string): Promise<void> {
  const words = [farm.workerDir('python'), '--master', master, '--name', 'python'];
  const pinned = (await readFile(join(farm.masterDir, 'host_key.pub'), 'utf8')).trim();
  await runOk('python3', [PYTHON_WORKER, 'init', ...words, '--host-key', pinned]);
  await letIn('python', await farm.workerKey('python'));
  daemons.push(await startProgram([...network.within('home'), 'python3', PYTHON_WORKER, ...words], {}));
}

async function letIn(name: string, key: string): Promise<void> {
  const added = await ssh(['worker', 'add', name], { input: key });
  if (added.status !== 0) throw new Error(`worker add failed: ${added.stderr}`);
}

async function isConnected(name: string): Promise<void> {
  await until(`${name} is connected`, async () => {
    const list = await json<readonly WorkerView[]>(['workers']);
    return list.some((worker) => worker.name === name && worker.state === 'connected');
  });
}

async function builds(name: string): Promise<void> {
  await isConnected(name);
  expect((await json<BuildView>(['force', `p/${name}`, '--wait'])).result).toBe('success');
}

story('the firewall lets one port through, and no other', async () => {
  start('farm', 'nc', ['-lk', '-p', String(PORT + 1)]);
  await canReach('farm', '127.0.0.1', PORT + 1);
  const tried = [
    reaches('person', address, PORT + 1),
    reaches('person', address, WEB_PORT),
    // The hosts that have to go a way around.
    reaches('inner', address, PORT),
    reaches('cell', address, PORT),
  ];
  expect(await Promise.all(tried)).toEqual([false, false, false, false]);
  for (const host of ['person', 'desk', 'laptop', 'gate', 'proxy']) await canReach(host, address, PORT);
});

story('workers build: behind NAT, through a jump host, through SOCKS5, in Python', async () => {
  const where = `${address}:${PORT}`;
  const proxy = `nc -X 5 -x ${proxyAddress}:1080 %h %p`;
  await Promise.all([
    addWorker('behind-nat', 'laptop', where),
    addWorker('socks', 'cell', where, '--proxy-command', proxy),
    addWorker('jumping', 'inner', where, '--jump', `${gate.user}@${gateAddress}`, '--jump-host-key', gate.hostKey),
    addPythonWorker(where),
  ]);
  await Promise.all(WORKERS.map(builds));
});

story('a person forces, follows a log and tries a patch with stock ssh alone', async () => {
  const forced = await json<BuildView>(['force', 'p/socks', '--wait']);
  const followed = await ssh(['log', '-f', String(forced.id), 'print']);
  expect([followed.status, followed.text]).toEqual([0, await runOk('seq', ['1', '20000']).then((text) => `${text}\n`)]);
  await appendFile(join(tree, 'text'), 'two\n');
  const patch = (await run('git', ['-C', tree, 'diff', 'HEAD', '--binary'])).stdout;
  const head = await runOk('git', ['-C', tree, 'rev-parse', 'HEAD']);
  const tried = await ssh(['try', 'p/tried', '--revision', head, '--wait', '--json'], { input: patch });
  expect([tried.stderr, tried.status]).toEqual(['', 0]);
  const [latest] = await json<readonly BuildView[]>(['builds', 'p/tried']);
  expect((await ssh(['log', String(latest?.id), 'show'])).text).toBe('one\ntwo\n');
});

story('a person opens the web address over ssh -L', async () => {
  const forward = start('person', 'ssh', [
    '-N',
    '-L',
    `${WEB_PORT}:localhost:${WEB_PORT}`,
    ...farm.sshArgs('admin').slice(0, -1),
    `admin@${address}`,
  ]);
  await canReach('person', '127.0.0.1', WEB_PORT);
  const { url } = await json<LoginView>(['login']);
  const look = 'process.stdout.write(await (await fetch(process.argv[1])).text())';
  const page = await on('person', [process.execPath, '--input-type=module', '-e', look, url]);
  expect([page.stderr, page.text]).toEqual(['', expect.stringContaining('<button>Sign in</button>') as string]);
  const gone = once(forward, 'exit');
  forward.kill();
  await gone;
});

story('where only port 22 is open, the way leads through the sshd of the same machine', async () => {
  // As docs/firewall.md has it.
  const match = ['Match User *', '  PermitOpen 127.0.0.1:2222', '  PermitTTY no', '  ForceCommand /bin/false'];
  const own = await startStockSshd(match, { within: network.within('farm'), host: address, port: 22 });
  try {
    await network.filter('farm', onlyPorts(22));
    expect(await reaches('person', address, PORT)).toBe(false);
    // Its host key is shown through the jump host, and has to be compared with the one of `master init`.
    const way = ['--jump', `${own.user}@${address}`, '--jump-host-key', own.hostKey, '--jump-key', own.keyFile];
    const words = ['init', farm.workerDir('inside'), '--name', 'inside', '--master', `127.0.0.1:${PORT}`, ...way];
    const shown = await on('desk', [process.execPath, PROGRAM, 'worker', ...words]);
    expect(shown.stderr).toContain(`the master 127.0.0.1:${PORT} shows host key ${hostKey}`);

    const config = join(farm.dir, 'ssh_config');
    await writeFile(config, sshConfig(own));
    const status = await on('person', ['ssh', '-F', config, 'ci', 'status', '--json']);
    expect([status.stderr, title(status)]).toEqual(['', 'One port']);
    const shell = await on('person', ['ssh', '-F', config, 'gate', 'id']);
    expect([shell.text, shell.status]).toEqual(['', 1]);

    await hasAnAddressOfItsOwn();
  } finally {
    await own.close();
  }
});

/** The other way: sshd keeps its address, the master listens on port 22 of another one. */
async function hasAnAddressOfItsOwn(): Promise<void> {
  const second = address.replace(/\d+$/, '3');
  await network.addAddress('farm', second);
  await master.end();
  await writeFile(join(farm.masterDir, 'master.json'), JSON.stringify({ listen: { host: second, port: 22 } }));
  const within = network.within('farm');
  daemons.push(await startDaemon(['master', 'start', farm.masterDir], {}, { within }));
  const options = farm.sshArgs('admin').slice(2, -1);
  const status = await on('person', ['ssh', '-p', '22', ...options, `admin@${second}`, 'status', '--json']);
  expect([status.stderr, title(status)]).toEqual(['', 'One port']);
}

const title = (status: Ran): string => (JSON.parse(status.text) as { title: string }).title;

function sshConfig(own: StockSshd): string {
  return `Host gate
  HostName ${address}
  User ${own.user}
  IdentityFile ${own.keyFile}
Host ci
  HostName 127.0.0.1
  Port ${PORT}
  User admin
  IdentityFile ${farm.keyFile('admin')}
  HostKeyAlias ci
  ProxyJump gate
Host *
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking accept-new
  UserKnownHostsFile ${join(farm.dir, 'known_hosts_22')}
  LogLevel ERROR
`;
}
