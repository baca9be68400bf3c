import { randomUUID } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon, Farm } from './farm.ts';
import { run } from './run.ts';
import { until } from './until.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** In a mount namespace of its own a file of ours lies over the kernel's boot id; all that it starts sees the same. */
const WITH_BOOT_ID = `mount --bind "$1" ${BOOT_ID} && shift && exec "$@"`;

/**
 * A worker on a machine that can be restarted: what the kernel says of the boot is a file, and its processes are those of one
 * mount namespace, which a loss of power ends all at once.
 */
export class Machine {
  readonly #farm: Farm;
  readonly #name: string;
  readonly #bootFile: string;
  readonly #unshare: readonly string[];
  #daemon: Daemon | undefined;
  #bootId = '';

  constructor(farm: Farm, name: string) {
    this.#farm = farm;
    this.#name = name;
    this.#bootFile = join(farm.dir, `boot-${name}`);
    this.#unshare = unshareWords();
  }

  /** Why this machine cannot play one that restarts; undefined when it can. */
  static async whyNot(): Promise<string | undefined> {
    const tried = await run('unshare', [
      ...unshareWords().slice(1),
      '/bin/sh',
      '-c',
      `mount --bind /dev/null ${BOOT_ID}`,
    ])
      .then(({ status, stderr }) => (status === 0 ? undefined : stderr.trim()))
      .catch((error: unknown) => String(error));
    return tried === undefined ? undefined : `no mount namespace can be made here: ${tried}`;
  }

  get bootId(): string {
    return this.#bootId;
  }

  /** A new boot, with the worker's daemon started by it. */
  async boot(): Promise<void> {
    this.#bootId = randomUUID();
    await writeFile(this.#bootFile, `${this.#bootId}\n`);
    await this.startDaemon();
  }

  /** The daemon alone, on the boot that is. */
  async startDaemon(): Promise<void> {
    const within = [...this.#unshare, '/bin/sh', '-c', WITH_BOOT_ID, 'sh', this.#bootFile];
    this.#daemon = await this.#farm.startWorker(this.#name, {}, { within });
  }

  /** Ends every process of the machine: daemon, keeper, commands. */
  async powerOff(): Promise<void> {
    const pid = this.#daemon?.process.pid;
    if (pid === undefined) throw new Error('the machine is off already');
    const machine = namespaceOf(String(pid));
    if (machine === undefined || machine === namespaceOf('self'))
      throw new Error(`process ${pid} has no namespace of its own`);
    await until('no process of the machine is left', () => {
      const left = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && namespaceOf(name) === machine);
      for (const name of left) kill(Number(name));
      return left.length === 0;
    });
    await this.#daemon?.end('SIGKILL');
    this.#daemon = undefined;
  }
}

function unshareWords(): readonly string[] {
  return process.getuid?.() === 0 ? ['unshare', '--mount'] : ['unshare', '--map-root-user', '--mount'];
}

/** Of a zombie there is none. */
function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // It has ended, or is another user's: either way none of ours.
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
