import { mkdtemp, readFile, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { HeldCommand, Keeper, KeeperSpec } from '../../../../src/worker/keeper/keeper.ts';
import type { KeeperLimits } from '../../../../src/worker/keeper/keeper-limits.ts';
import { socketFolder } from '../../../../src/worker/keeper/keeper-socket.ts';
import { openKeeper } from '../../../../src/worker/keeper/open-keeper.ts';

/** Generous: a loaded machine is no failure. */
const BOUND_MS = 90_000;

export async function until<T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false) {
  for (const end = performance.now() + BOUND_MS; performance.now() < end; await sleep(10)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error(`waited in vain: ${what}`);
}

export class SpoolFixture {
  readonly dir: string;
  readonly work: string;
  /** In the environment of every command, so that a test finds its processes by a way of its own. */
  readonly mark: string;
  readonly #limits: Partial<KeeperLimits>;
  readonly #open = new Set<Keeper>();

  private constructor(root: string, limits: Partial<KeeperLimits>, below: string) {
    this.dir = join(root, below);
    this.work = root;
    this.mark = `TRUNKLINE_TEST_MARK=${root}`;
    this.#limits = limits;
  }

  /** Everything it starts is ended and removed when the test is finished. */
  static async make(limits: Partial<KeeperLimits> = {}, below = 'spool'): Promise<SpoolFixture> {
    const fixture = new SpoolFixture(await mkdtemp(join(tmpdir(), 'tk-')), limits, below);
    onTestFinished(() => fixture.#dispose());
    return fixture;
  }

  /** What a daemon does when it starts. */
  async open(): Promise<Keeper> {
    const keeper = await openKeeper({
      spoolDir: this.dir,
      logger: silentLogger,
      clock: systemClock,
      limits: { freeBytes: 0, ...this.#limits },
    });
    this.#open.add(keeper);
    return keeper;
  }

  spec(command: string, argv: readonly string[], more: Partial<KeeperSpec> = {}): KeeperSpec {
    const [name, value] = this.mark.split('=') as [string, string];
    return {
      command,
      session: 'session-1',
      fence: 1,
      argv,
      folder: this.work,
      cwd: this.work,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', [name]: value },
      killAfterMs: 30_000,
      ...more,
    };
  }

  shell(command: string, script: string, more: Partial<KeeperSpec> = {}): KeeperSpec {
    return this.spec(command, ['/bin/sh', '-c', script], more);
  }

  /** The keeper process that claimed the command. */
  async keeperPid(command: string): Promise<number> {
    const claim = JSON.parse(await readFile(join(this.dir, command, 'claim.json'), 'utf8')) as {
      readonly keeper: { readonly pid: number };
    };
    return claim.keeper.pid;
  }

  /** Living processes with the mark in their environment. */
  async marked(): Promise<number[]> {
    const found: number[] = [];
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const environ = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      if (environ.split('\0').includes(this.mark)) found.push(Number(name));
    }
    return found;
  }

  async #dispose(): Promise<void> {
    const keeper = await this.open();
    for (const { command } of await keeper.list()) await keeper.forget(command);
    for (const open of this.#open) await open.close();
    const sockets = socketFolder(await realpath(this.dir));
    if (sockets !== this.dir) await rm(sockets, { recursive: true, force: true });
    await until('the test folder is removed', () =>
      rm(this.work, { recursive: true, force: true }).then(
        () => true,
        // A keeper on its way out may put a file there in this moment.
        () => false,
      ),
    );
  }
}

export function finished(keeper: Keeper, command: string): Promise<HeldCommand & { readonly state: 'finished' }> {
  return until(`${command} is finished`, async () => {
    const held = await keeper.find(command);
    return held?.state === 'finished' && { ...held, state: 'finished' as const };
  });
}

/** The output from an offset to what is there now. */
export async function readAll(keeper: Keeper, command: string, from = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let at = from; ;) {
    const piece = await keeper.read(command, at, 100_000);
    if (piece.byteLength === 0) return Buffer.concat(pieces);
    pieces.push(piece);
    at += piece.byteLength;
  }
}

export async function printed(keeper: Keeper, command: string, text: string): Promise<void> {
  await until(`${command} prints ${text}`, async () => (await readAll(keeper, command)).includes(text));
}

export function isRunning(pid: number): Promise<boolean> {
  return readFile(`/proc/${pid}/stat`, 'latin1').then(
    (stat) => !/\) [ZX] /.test(stat),
    () => false,
  );
}
