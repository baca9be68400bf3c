import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { BuildView } from '../../src/master/views/build.ts';
import type { WorkerView } from '../../src/master/views/worker.ts';
import { run, runOk } from './run.ts';
import type { Ran, RunOptions } from './run.ts';
import { until } from './until.ts';

/** The program that a person calls. */
export const PROGRAM = resolve(
  import.meta.dirname,
  import.meta.dirname.includes('/dist/') ? '../../..' : '../..',
  'bin/trunkline.js',
);

/** The command line, as a person types it. */
export function trunkline(args: readonly string[], options?: RunOptions): Promise<Ran> {
  return run(process.execPath, [PROGRAM, ...args], options);
}

/** The worker that the documents show, in Python. */
export const PYTHON_WORKER = resolve(PROGRAM, '../../docs/examples/worker.py');

/** A daemon in the foreground; `ready` is the line it said. */
export interface Daemon {
  readonly process: ChildProcess;
  readonly ready: string;
  /** What it wrote to stderr so far. */
  readonly stderr: () => string;
  /** Sends a signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** What a daemon is started with. */
export interface Launch {
  /** Another program than the built one. */
  readonly program?: string;
  /** Words before it: a command that becomes it. */
  readonly within?: readonly string[];
  /** Words behind `worker start DIR`. */
  readonly words?: readonly string[];
}

/** Starts `trunkline ARGS` and waits for its ready line; fails with its own words when it ends before. */
export async function startDaemon(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { program = PROGRAM, within = [] }: Launch = {},
): Promise<Daemon> {
  return await startProgram([...within, process.execPath, program, ...args], env);
}

/** The same of any program that says a line when it is ready. */
export async function startProgram(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Daemon> {
  const [file = '', ...args] = words;
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stderr = '';
  let stdout = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
  const ready = await new Promise<string>((yes, no) => {
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece;
      const end = stdout.indexOf('\n');
      if (end >= 0) yes(stdout.slice(0, end));
    });
    child.once('error', no);
    child.once('exit', (status, signal) => no(new Error(`${words.join(' ')} ended (${status ?? signal}): ${stderr}`)));
  });
  return {
    process: child,
    ready,
    stderr: () => stderr,
    async end(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
  };
}

/**
 * A farm in a folder of its own, made and driven as a person would: the documented commands, stock ssh, real processes.
 * Everything is ended and removed by `close`.
 */
export class Farm {
  readonly dir: string;
  readonly masterDir: string;
  readonly #daemons = new Map<string, Daemon>();
  /** What starts the workers that are not ours. */
  readonly #foreign = new Map<string, readonly string[]>();
  #port = 0;

  private constructor(dir: string) {
    this.dir = dir;
    this.masterDir = join(dir, 'm');
  }

  /** Makes the master's folder with an operator `admin`; the configuration is written over by `config`. */
  static async create(): Promise<Farm> {
    const farm = new Farm(await mkdtemp(join(tmpdir(), 'tl-')));
    await farm.makeKey('admin');
    const made = await trunkline([
      'master',
      'init',
      farm.masterDir,
      '--listen',
      '127.0.0.1:0',
      '--operator',
      'admin',
      '--operator-key',
      `${farm.keyFile('admin')}.pub`,
    ]);
    if (made.status !== 0) throw new Error(`master init failed: ${made.stderr}`);
    return farm;
  }

  get port(): number {
    return this.#port;
  }

  keyFile(name: string): string {
    return join(this.dir, `key-${name}`);
  }

  async makeKey(name: string): Promise<string> {
    await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', this.keyFile(name)]);
    return await readFile(`${this.keyFile(name)}.pub`, 'utf8');
  }

  /** Lets a person in, by a key file dropped into the role's folder. */
  async admit(role: 'readers' | 'developers' | 'operators', name: string): Promise<void> {
    const key = await this.makeKey(name);
    await writeFile(join(this.masterDir, 'keys', role, `${name}.pub`), key);
  }

  /** Writes the configuration's text; `imports` come first. */
  async config(text: string): Promise<void> {
    await writeFile(join(this.masterDir, 'trunkline.config.ts'), text);
  }

  async startMaster(env: Readonly<Record<string, string>> = {}, launch?: Launch): Promise<Daemon> {
    const args = ['master', 'start', this.masterDir];
    // A restarted master must be found where its workers look for it.
    if (this.#port > 0) args.push('--listen', `127.0.0.1:${this.#port}`);
    const daemon = await startDaemon(args, env, launch);
    this.#daemons.set('master', daemon);
    this.#port = Number(/:(\d+)\b/.exec(daemon.ready)?.[1]);
    if (!this.#port) throw new Error(`no port in "${daemon.ready}"`);
    return daemon;
  }

  workerDir(name: string): string {
    return join(this.dir, name);
  }

  /** The fingerprint of the master's host key. */
  async hostKey(): Promise<string> {
    return (await runOk('ssh-keygen', ['-lf', join(this.masterDir, 'host_key.pub')])).split(' ')[1] ?? '';
  }

  /** The line of a worker's public key. */
  workerKey(name: string): Promise<string> {
    return readFile(join(this.workerDir(name), 'key.pub'), 'utf8');
  }

  /** `worker init`, with the master's host key pinned, and `worker add` over ssh. It may be told another port: a relay's. */
  async addWorker(name: string, masterPort = this.#port): Promise<void> {
    const made = await trunkline([
      'worker',
      'init',
      this.workerDir(name),
      '--name',
      name,
      '--master',
      `127.0.0.1:${masterPort}`,
      '--host-key',
      await this.hostKey(),
    ]);
    if (made.status !== 0) throw new Error(`worker init failed: ${made.stderr}`);
    await this.#letIn(name, made.text);
  }

  /** The same for the worker in Python, which is started with `more` words then. */
  async addPythonWorker(name: string, more: readonly string[] = [], masterPort = this.#port): Promise<void> {
    const words = [this.workerDir(name), '--master', `127.0.0.1:${masterPort}`, '--name', name];
    const hostKey = await readFile(join(this.masterDir, 'host_key.pub'), 'utf8');
    await this.#letIn(name, await runOk('python3', [PYTHON_WORKER, 'init', ...words, '--host-key', hostKey.trim()]));
    this.#foreign.set(name, ['python3', PYTHON_WORKER, ...words, ...more]);
  }

  /** `made` is what its `init` said. */
  async #letIn(name: string, made: string): Promise<void> {
    const key = made.split('\n').find((line) => line.startsWith('ssh-ed25519 '));
    const added = await this.ssh(['worker', 'add', name], { input: `${key}\n` });
    if (added.status !== 0) throw new Error(`worker add failed: ${added.stderr}`);
  }

  async startWorker(name: string, env: Readonly<Record<string, string>> = {}, launch?: Launch): Promise<Daemon> {
    const foreign = this.#foreign.get(name);
    const daemon = foreign
      ? await startProgram(foreign, env)
      : await startDaemon(['worker', 'start', this.workerDir(name), ...(launch?.words ?? [])], env, launch);
    this.#daemons.set(name, daemon);
    return daemon;
  }

  /** The arguments of stock ssh up to the host. */
  sshArgs(user = 'admin'): string[] {
    return [
      '-p',
      String(this.#port),
      '-i',
      this.keyFile(user),
      '-o',
      'BatchMode=yes',
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      `UserKnownHostsFile=${join(this.dir, 'known_hosts')}`,
      '-o',
      'StrictHostKeyChecking=accept-new',
      '-o',
      'LogLevel=ERROR',
      '-F',
      'none',
      `${user}@127.0.0.1`,
    ];
  }

  /** Stock ssh with a verb. */
  ssh(words: readonly string[], options: RunOptions & { readonly user?: string } = {}): Promise<Ran> {
    return run('ssh', [...this.sshArgs(options.user), ...words], options);
  }

  /** `force --wait --json` to the end of the build. */
  async build(target: string, ...more: readonly string[]): Promise<BuildView> {
    const ran = await this.ssh(['force', target, '--wait', '--json', ...more]);
    return parse(ran) as BuildView;
  }

  async view(build: string | number): Promise<BuildView> {
    return parse(await this.ssh(['build', String(build), '--json'])) as BuildView;
  }

  /** The build at its end; fails after a bound that only a hang reaches. */
  async finished(build: string | number, boundMs?: number): Promise<BuildView> {
    const look = async (): Promise<BuildView | undefined> => {
      const now = await this.view(build);
      return now.state === 'finished' ? now : undefined;
    };
    return await until(`build ${build} is finished`, look, boundMs);
  }

  async list(): Promise<readonly BuildView[]> {
    return parse(await this.ssh(['builds', '--json'])) as readonly BuildView[];
  }

  /** Waits until the master has this worker so; what it tells of it then. */
  async workerIs(name: string, state: WorkerView['state']): Promise<WorkerView> {
    return await until(`worker ${name} is ${state}`, async () => {
      const list = parse(await this.ssh(['workers', '--json'])) as readonly WorkerView[];
      return list.find((worker) => worker.name === name && worker.state === state);
    });
  }

  /** A step's whole log. */
  async log(build: string | number, step: string): Promise<Buffer> {
    const ran = await this.ssh(['log', '--raw', String(build), step]);
    if (ran.status !== 0) throw new Error(`log ${build} ${step}: ${ran.stderr}`);
    return ran.stdout;
  }

  /** The same without holding it: SHA-256, in hex. */
  async logSha256(build: string | number, step: string): Promise<string> {
    const child = spawn('ssh', [...this.sshArgs(), 'log', '--raw', String(build), step], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    const hash = createHash('sha256');
    for await (const piece of child.stdout) hash.update(piece as Buffer);
    const [status] = (await ended) as [number | null];
    if (status !== 0) throw new Error(`log ${build} ${step} ended with ${status}`);
    return hash.digest('hex');
  }

  /** A git repository with one commit of the given files. */
  async repository(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const dir = join(this.dir, 'repositories', name);
    await mkdir(dir, { recursive: true });
    for (const [file, content] of Object.entries(files)) await writeFile(join(dir, file), content);
    const git = (...args: string[]): Promise<string> =>
      runOk('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], { cwd: dir });
    await git('init', '-q', '-b', 'main');
    await git('add', '-A');
    await git('commit', '-q', '-m', 'First');
    return dir;
  }

  /** The revision that a repository is at. */
  async tip(repository: string): Promise<string> {
    return await runOk('git', ['rev-parse', 'HEAD'], { cwd: repository });
  }

  async close(): Promise<void> {
    for (const daemon of [...this.#daemons.values()].reverse()) await daemon.end('SIGKILL');
    for (const name of this.#daemons.keys()) {
      if (name !== 'master') await endKeepers(this.workerDir(name));
    }
    await rm(this.dir, { recursive: true, force: true, maxRetries: 10 });
  }
}

function parse(ran: Ran): unknown {
  if (ran.text.trim() === '') throw new Error(`no JSON came: ${ran.stderr}`);
  return JSON.parse(ran.text);
}

/** Keepers outlive their daemon by design; a test's must not outlive the test: they leave when their spool is gone. */
async function endKeepers(workerDir: string): Promise<void> {
  await rm(join(workerDir, 'spool'), { recursive: true, force: true, maxRetries: 10 });
}
