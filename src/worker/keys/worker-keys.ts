import { renameSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { syncFolder, writeFileAtomic } from '../../base/atomic-file.ts';
import type { Cancel } from '../../base/clock.ts';
import { UserMistake, errorCode, errorText } from '../../base/errors.ts';
import { holdAlso } from '../../base/folder-lock.ts';
import type { Logger } from '../../base/logger.ts';
import { Signal } from '../../base/signal.ts';
import { loadPrivateKey, makeKeyPair } from '../../transport/keys.ts';
import type { SshPrivateKey } from '../../transport/keys.ts';
import type { WorkerDir } from '../worker-dir.ts';

export type SettledKey = { readonly fingerprint: string } | { readonly refused: string };

/**
 * The key of a worker's folder and, while it is changed, the next one beside it. The files are the truth, and at every moment one
 * of them is let in: `key` alone → `key.next` made, offered, known to the master → logged in with, and renamed to `key`.
 * The master drops the old one later than that.
 */
export class WorkerKeys {
  readonly #dir: WorkerDir;
  #current: SshPrivateKey;
  #next: SshPrivateKey | undefined;
  /** The master has said that the next one is let in. */
  #isNextKnown = false;
  #making: Promise<SshPrivateKey> | undefined;
  readonly #settled = new Signal<SettledKey>();
  #release: () => Promise<void> = () => Promise.resolve();

  private constructor(dir: WorkerDir, current: SshPrivateKey, next: SshPrivateKey | undefined) {
    this.#dir = dir;
    this.#current = current;
    this.#next = next;
  }

  /** For the daemon that holds the folder. Rejects with a UserMistake when the key cannot be used. */
  static async open(dir: WorkerDir, logger: Logger): Promise<WorkerKeys> {
    const { paths } = dir;
    const current = await loadPrivateKey(paths.key);
    const keys = new WorkerKeys(dir, current, await loadNext(paths.nextKey, logger));
    await keys.#writePublicKey();
    return keys;
  }

  get current(): SshPrivateKey {
    return this.#current;
  }

  get next(): SshPrivateKey | undefined {
    return this.#next;
  }

  /** To log in with, in this order: another one when the master refuses the one before. */
  candidates(): readonly SshPrivateKey[] {
    if (!this.#next) return [this.#current];
    return this.#isNextKnown ? [this.#next, this.#current] : [this.#current, this.#next];
  }

  /** What became of a next key: the worker's own now, or refused by the master. */
  onSettled(listener: (settled: SettledKey) => void): Cancel {
    return this.#settled.on(listener);
  }

  /** The next key, made when there is none; it is on disk. */
  async makeNext(): Promise<SshPrivateKey> {
    if (this.#next) return this.#next;
    this.#making ??= this.#makeNext().finally(() => (this.#making = undefined));
    return await this.#making;
  }

  nextIsKnown(): void {
    this.#isNextKnown = true;
  }

  /** The master does not let it in. */
  async refused(message: string): Promise<void> {
    this.#next = undefined;
    this.#isNextKnown = false;
    await rm(this.#dir.paths.nextKey, { force: true });
    this.#settled.emit({ refused: message });
  }

  /** The master has welcomed a login with this key. True when it was the next one, which is the worker's own now, on disk too. */
  async welcomed(key: SshPrivateKey): Promise<boolean> {
    if (key !== this.#next) return false;
    const { path, paths } = this.#dir;
    const release = await holdAlso({ noun: 'worker', dir: path, secretFile: paths.nextKey });
    const before = this.#release;
    this.#release = release;
    renameSync(paths.nextKey, paths.key);
    this.#current = key;
    this.#next = undefined;
    this.#isNextKnown = false;
    await syncFolder(path);
    await this.#writePublicKey();
    await before();
    this.#settled.emit({ fingerprint: key.fingerprint });
    return true;
  }

  async close(): Promise<void> {
    await this.#release();
  }

  async #makeNext(): Promise<SshPrivateKey> {
    const next = makeKeyPair(this.#dir.name);
    await writeFileAtomic(this.#dir.paths.nextKey, next.privateKey, 0o600);
    return (this.#next = next);
  }

  /** Says for people what `key` is; a kill between the two left it behind. */
  async #writePublicKey(): Promise<void> {
    const { name, paths } = this.#dir;
    // One that cannot be read is written anew.
    const written = await readFile(paths.publicKey, 'utf8').catch(() => '');
    const { publicKeyLine } = this.#current;
    if (!written.startsWith(publicKeyLine)) await writeFileAtomic(paths.publicKey, `${publicKeyLine} ${name}\n`);
  }
}

/** One that is damaged is of no use to anybody: the rotation begins anew when it is asked for again. */
async function loadNext(path: string, logger: Logger): Promise<SshPrivateKey | undefined> {
  try {
    return await loadPrivateKey(path);
  } catch (error) {
    if (error instanceof UserMistake && errorCode(error.cause) === 'ENOENT') return undefined;
    logger.warn(`the next key is not used: ${errorText(error)}`, { path });
    return undefined;
  }
}
