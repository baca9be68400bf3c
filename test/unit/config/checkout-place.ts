import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AnswerCall, StepCall, StepReport } from '../../../src/config/code-host.ts';
import type { SecretRef } from '../../../src/model/secret.ts';
import { patchFile } from '../../../src/model/source-stamp.ts';
import { configOf, temporaryFolder, tryConfig } from './try-config.ts';
import type { Tried, TryOptions } from './try-config.ts';

const IDENTITY = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

interface Ran {
  readonly status: number;
  readonly output: string;
}

function run(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...IDENTITY, ...env }, encoding: 'utf8' } as const;
    execFile(program, [...args], options, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code ?? 255) : 0, output: stderr + stdout });
    });
  });
}

/** Its output byte for byte. */
function runBytes(program: string, args: readonly string[], cwd: string): Promise<{ readonly stdout: Buffer }> {
  return promisify(execFile)(program, [...args], { cwd, encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 });
}

export async function git(cwd: string, ...args: string[]): Promise<string> {
  const { status, output } = await run('git', args, cwd);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${output}`);
  return output.trim();
}

/** Commits one file; resolves to the new revision. */
export async function commit(repository: string, name: string, text: string): Promise<string> {
  await mkdir(join(repository, name, '..'), { recursive: true });
  await writeFile(join(repository, name), text);
  await git(repository, 'add', '-A');
  await git(repository, 'commit', '-q', '-m', name);
  return await git(repository, 'rev-parse', 'HEAD');
}

export interface Place {
  readonly repository: string;
  /** The folder of the build. */
  readonly folder: string;
  readonly calls: StepCall[];
  readonly outputs: string[];
  checkout(source?: TryOptions['source'], isUntrusted?: boolean): Promise<StepReport>;
  /** The same with what this shell text does to a work tree of the repository as a patch. */
  checkoutWith(change: string, source?: TryOptions['source']): Promise<StepReport>;
}

/** As the master does it when it starts the command. */
function revealed(env: Readonly<Record<string, string | SecretRef>>, secrets: PlaceOptions['secrets'] = {}) {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, typeof value === 'string' ? value : (secrets[value.name] ?? '')]),
  );
}

function secretsOf(secrets: PlaceOptions['secrets'] = {}): string {
  const entries = Object.keys(secrets).map((name) => [name, { kind: 'secretEnv', variable: 'X', projects: 'all' }]);
  return JSON.stringify(Object.fromEntries(entries));
}

interface PlaceOptions {
  /** Of another place: its repository is built here as well. */
  readonly repository?: string;
  /** Of each command, as the worker's daemon gives it. */
  readonly env?: Record<string, string>;
  /** What the master knows of them, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A repository, and a build's folder beside it where commands are really run. */
export async function place(options = '', more: PlaceOptions = {}): Promise<Place> {
  const root = await temporaryFolder();
  const repository = more.repository ?? join(root, 'origin');
  const folder = join(root, 'build');
  await mkdir(folder);
  if (more.repository === undefined) {
    await mkdir(repository);
    await git(repository, 'init', '-q', '-b', 'main');
  }
  const tried: Tried = await tryConfig(
    configOf(`checkout({ ${options} })`)
      .replace('https://git.example.org/kate.git', repository)
      .replace("title: 'Test',", `title: 'Test', secrets: ${secretsOf(more.secrets)},`),
  );
  const calls: StepCall[] = [];
  const outputs: string[] = [];
  const answer: AnswerCall = async (call) => {
    calls.push(call);
    if (call.kind === 'mkdir') await mkdir(join(folder, call.args.path), { recursive: true });
    if (call.kind === 'put' && 'file' in call.args.source) {
      await copyFile(join(root, call.args.source.file), join(folder, call.args.path));
    }
    if (call.kind !== 'run') return { ok: null };
    const [program = '', ...args] = call.args.command;
    // The wait before a try is what the script is told; tests need not wait.
    const isTry = args[2] === 'checkout';
    const words = isTry ? [...args.slice(0, -1), 'wait=0'] : args;
    const ran = await run(program, words, join(folder, call.args.cwd ?? ''), {
      ...more.env,
      ...revealed(call.args.env, more.secrets),
    });
    outputs.push(ran.output);
    return {
      ok: {
        status: 'exited',
        exitCode: ran.status,
        startedAtMs: 0,
        endedAtMs: 1,
        captured: ran.output.slice(-(call.args.capture ?? 0)),
      },
    };
  };
  const checkout = (source: TryOptions['source'] = {}, isUntrusted = false): Promise<StepReport> =>
    tried.step(0, answer, { source, isUntrusted });
  let patches = 0;
  return {
    repository,
    folder,
    calls,
    outputs,
    checkout,
    async checkoutWith(change, source) {
      const tree = join(root, `tree-${++patches}`);
      await git(root, 'clone', '-q', repository, tree);
      await run('/bin/sh', ['-ec', change], tree);
      await git(tree, 'add', '-AN');
      const patch = { id: String(patches), sha256: '', bytes: 0 };
      await mkdir(join(root, 'state/patches'), { recursive: true });
      const { stdout } = await runBytes('git', ['diff', 'HEAD', '--binary'], tree);
      await writeFile(join(root, patchFile(patch)), stdout);
      return await checkout({ ...source, patch });
    },
  };
}

export function gotRevision({ calls }: Place): unknown {
  const last = calls.at(-1);
  return last?.kind === 'setProperty' && last.args.name === 'got_revision' ? last.args.value : undefined;
}
