import { renameSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { syncFolder, writeFileAtomic } from '../base/atomic-file.ts';
import type { Cancel } from '../base/clock.ts';
import { UserMistake, errorCode } from '../base/errors.ts';
import { Gate } from '../base/gate.ts';
import { holdAlso } from '../base/folder-lock.ts';
import { Signal } from '../base/signal.ts';
import { LIMITS } from '../protocol/limits.ts';
import { fingerprint, formatPublicKey, loadPrivateKey, makeKeyPair, parsePublicKeys } from '../transport/keys.ts';
import type { SshPrivateKey } from '../transport/keys.ts';
import { readHostKey } from './master-dir.ts';
import type { MasterPaths } from './master-dir.ts';

/**
 * The host key of a master and, while it is changed, the next one. The files are the truth: `host_key` alone → `host_key.next`
 * made, told to the workers → renamed to `host_key`, the old one's public half noted in `host_key.old.pub`.
 */
export class HostKeys {
  readonly #paths: MasterPaths;
  readonly #changed = new Signal();
  #current: SshPrivateKey;
  #next: SshPrivateKey | undefined;
  /** Public key lines, the newest last. */
  #old: readonly string[];
  #release: () => Promise<void> = () => Promise.resolve();
  /** Changes happen one after another. */
  readonly #turn = new Gate(1);

  private constructor(
    paths: MasterPaths,
    current: SshPrivateKey,
    next: SshPrivateKey | undefined,
    old: readonly string[],
  ) {
    this.#paths = paths;
    this.#current = current;
    this.#next = next;
    this.#old = old;
  }

  /** For the master that holds the folder. Rejects with a UserMistake when a key cannot be used. */
  static async open(paths: MasterPaths): Promise<HostKeys> {
    const current = await readHostKey(paths);
    const keys = new HostKeys(paths, current, await loadNext(paths.nextHostKey), await readOld(paths.oldHostKeys));
    await keys.#writePublicKey();
    return keys;
  }

  get current(): SshPrivateKey {
    return this.#current;
  }

  get next(): SshPrivateKey | undefined {
    return this.#next;
  }

  /** The current one and the next one, if there is one: what a newcomer has to trust. */
  get trusted(): readonly SshPrivateKey[] {
    return this.#next ? [this.#current, this.#next] : [this.#current];
  }

  /** Fingerprints of those that were used before: nobody needs to trust them any more. */
  get retired(): readonly string[] {
    const used = new Set([this.#current.fingerprint, this.#next?.fingerprint]);
    // One that a kill left noted before the next one was in its place.
    return this.#old.flatMap((line) => parsePublicKeys(line).map(fingerprint)).filter((old) => !used.has(old));
  }

  /** The keys are others now. */
  onChange(listener: () => void): Cancel {
    return this.#changed.on(listener);
  }

  /** Makes the next key, when there is none. */
  makeNext(): Promise<SshPrivateKey> {
    return this.#turn.pass(async () => {
      if (this.#next) return this.#next;
      const next = makeKeyPair(`trunkline master ${hostname()}`);
      await writeFileAtomic(this.#paths.nextHostKey, next.privateKey, 0o600);
      this.#next = next;
      this.#changed.emit();
      return next;
    });
  }

  /** Puts the next key into the place of the current one, for new connections. */
  use(next: SshPrivateKey): Promise<void> {
    return this.#turn.pass(async () => {
      if (this.#next !== next) throw new UserMistake('the next host key is another one meanwhile: look at its status');
      const { dir, hostKey, nextHostKey, oldHostKeys } = this.#paths;
      const old = [...this.#old, this.#current.publicKeyLine].slice(-MOST_RETIRED);
      await writeFileAtomic(oldHostKeys, old.map((line) => `${line}\n`).join(''));
      const release = await holdAlso({ noun: 'master', dir, secretFile: nextHostKey });
      const before = this.#release;
      this.#release = release;
      renameSync(nextHostKey, hostKey);
      this.#old = old;
      this.#current = next;
      this.#next = undefined;
      this.#changed.emit();
      await syncFolder(dir);
      await this.#writePublicKey();
      await before();
    });
  }

  async close(): Promise<void> {
    await this.#turn.pass(() => Promise.resolve());
    await this.#release();
  }

  /** Says for people what `host_key` is; a kill between the two left it behind. */
  async #writePublicKey(): Promise<void> {
    const { publicHostKey } = this.#paths;
    // One that cannot be read is written anew.
    const written = await readFile(publicHostKey, 'utf8').catch(() => '');
    const { type, blob } = this.#current.publicKey;
    if (written.startsWith(`${type} ${blob}`)) return;
    await writeFileAtomic(
      publicHostKey,
      `${formatPublicKey({ type, blob, comment: `trunkline master ${hostname()}` })}\n`,
    );
  }
}

/** Of as many as a message may name, the current and the next one are some. */
const MOST_RETIRED = LIMITS.hostKeys - 2;

async function loadNext(path: string): Promise<SshPrivateKey | undefined> {
  try {
    return await loadPrivateKey(path);
  } catch (error) {
    if (error instanceof UserMistake && errorCode(error.cause) === 'ENOENT') return undefined;
    throw new UserMistake(
      `the next host key cannot be used, remove it or put the right one there: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

async function readOld(path: string): Promise<readonly string[]> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
    for (const line of lines) parsePublicKeys(line, path);
    return lines.slice(-MOST_RETIRED);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error instanceof UserMistake ? error : new UserMistake(`${path} cannot be read`, { cause: error });
  }
}
