import { chown, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from './run.ts';
import type { Ran } from './run.ts';

/** What a shell of the smallest system has besides node and ssh. */
const TOOLS = 'cat chmod cp echo grep id ls mkdir mkfifo mktemp mv rm sh sleep tail tr uname'.split(' ');

/**
 * An account as on a new machine: an empty home, a PATH with the tools of a small system, node and ssh, nothing of ours. When
 * the tests run as root it is another user's, without rights.
 */
export class BareAccount {
  readonly home: string;
  /** Become that user: words before a command. */
  readonly #within: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  private constructor(home: string, within: readonly string[], env: Readonly<Record<string, string>>) {
    this.home = home;
    this.#within = within;
    this.#env = env;
  }

  /** Without some of the tools, when they are named. */
  static async make(without: readonly string[] = []): Promise<BareAccount> {
    const home = await mkdtemp(join(tmpdir(), 'tl-new-'));
    const bin = join(home, '.bin');
    await mkdir(bin);
    for (const tool of [...TOOLS, 'ssh']) {
      if (!without.includes(tool)) await symlink(await runOk('sh', ['-c', `command -v ${tool}`]), join(bin, tool));
    }
    if (!without.includes('node')) await symlink(process.execPath, join(bin, 'node'));
    const env = { HOME: home, PATH: bin, TMPDIR: home, TRUNKLINE_DIR: '', NODE_OPTIONS: '', XDG_RUNTIME_DIR: '' };
    if (process.getuid?.() !== 0) return new BareAccount(home, [], env);
    const uid = Number(await runOk('id', ['-u', 'nobody']));
    const gid = Number(await runOk('id', ['-g', 'nobody']));
    await chown(home, uid, gid);
    const setpriv = await runOk('sh', ['-c', 'command -v setpriv']);
    return new BareAccount(home, [setpriv, `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'], env);
  }

  /** The shell that reads what is pasted: `sh`, or another that is there. */
  paste(line: string, { shell = ['sh'], env = {} }: PasteOptions = {}): Promise<Ran> {
    return this.run([...shell, '-c', line], env);
  }

  async run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const [file = '', ...more] = [...this.#within, ...words];
    // What runs the test is not there on a new machine.
    const cleared = Object.fromEntries(Object.keys(process.env).map((name) => [name, '']));
    return await run(file, more, { cwd: this.home, env: { ...cleared, ...this.#env, ...env } });
  }

  /** Ends the workers that it has, and removes all. */
  async remove(...workers: readonly string[]): Promise<void> {
    for (const name of workers) {
      const dir = join(this.home, `trunkline-${name}`);
      await this.run([join(this.home, '.bin/node'), join(dir, 'worker.mjs'), 'stop', dir]);
      // Its keeper leaves when the spool is gone.
      await rm(join(dir, 'spool'), { recursive: true, force: true, maxRetries: 10 });
    }
    await rm(this.home, { recursive: true, force: true, maxRetries: 10 });
  }
}

export interface PasteOptions {
  readonly shell?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
