import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { watch } from 'chokidar';
import type { FSWatcher } from 'chokidar';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { Gate } from '../../base/gate.ts';
import type { Logger } from '../../base/logger.ts';
import { Signal } from '../../base/signal.ts';
import { NAME_RULE, isName } from '../../model/names.ts';
import { MAX_KEYS } from '../../model/principal.ts';
import type { Principal, PublicKey } from '../../model/principal.ts';
import type { Store } from '../../store/store.ts';
import { fingerprint, isSameKey } from '../../transport/keys.ts';
import { OperatorError } from '../operator.ts';
import { ROLE_FOLDERS, readKeyFolders } from './key-folders.ts';
import { settledKeys, withNextKey } from './next-key.ts';
import { planImport } from './plan-import.ts';

export interface PeopleOptions {
  readonly store: Store;
  /** Holds `workers`, `readers`, `developers`, `operators`; made when they are not there. */
  readonly keysDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Who came in, and by which of the keys (its blob). */
export interface LoggedIn extends Principal {
  readonly loginKey: string;
}

/** Who may come in. The table of principals is the truth; the key folders are imported into it. */
export interface People {
  /** Whether this key opens the door for this name. `refused` is for the master's log; a stranger is told nothing. */
  authenticate(
    name: string,
    key: { readonly type: string; readonly blob: string | Uint8Array },
  ): LoggedIn | { readonly refused: string };
  /** Whether the name is a worker's that was not withdrawn, whatever its keys are worth now. */
  isAdmitted(worker: string): boolean;
  /** Whether a login still holds: neither the name nor its key was withdrawn, and the role is the same. */
  isStillIn(who: LoggedIn): boolean;
  /** Lets a worker's next key in beside the one it logged in with. Resolves to why not, for the worker. */
  admitNextKey(worker: string, loginKey: string, next: PublicKey): Promise<string | undefined>;
  /** The worker works with this key: the one whose place it takes lets nobody in any more. False for any other key. */
  settleKey(worker: string, loginKey: string): Promise<boolean>;
  /** A principal, or one of its keys, is gone: its connections have to end. */
  onRemoved(listener: (name: string) => void): Cancel;
  list(): readonly Principal[];
  /** Whether the name is somebody's, or was: also of one that was withdrawn. */
  isTaken(name: string): boolean;
  /** Does a change of the table in its turn, and takes it over. */
  change<T>(work: () => Promise<T>): Promise<T>;
  /** Admits a worker, in the table alone: the folders stay the administrator's. Lifts a tombstone. */
  addWorker(name: string, keys: readonly PublicKey[]): Promise<void>;
  /** Leaves a tombstone that also beats a key file which is still there; only `addWorker` lifts it. */
  revokeWorker(name: string): Promise<void>;
  close(): Promise<void>;
}

/** The watcher may miss something (a network file system); the folders are read again so often anyway. */
const RESCAN_MS = 30_000;
/** Lets a file that is being written be written; well under the second in which a removed key has to be out. */
const SETTLE_MS = 100;

export async function openPeople(options: PeopleOptions): Promise<People> {
  const people = new KeyedPeople(options);
  await people.start();
  return people;
}

class KeyedPeople implements People {
  readonly #options: PeopleOptions;
  #principals: ReadonlyMap<string, Principal> = new Map();
  #faults: ReadonlyMap<string, string> = new Map();
  readonly #removed = new Signal<string>();
  #watcher: FSWatcher | undefined;
  #cancelTimer: Cancel = () => undefined;
  #isSettling = false;
  #isClosed = false;
  /** Changes to the table happen one after another. */
  readonly #turn = new Gate(1);

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { keysDir, logger } = this.#options;
    const folders = Object.values(ROLE_FOLDERS).map((folder) => join(keysDir, folder));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    // Signals only wake: whatever happened, all folders are read again. Links are looked at when read, not watched.
    this.#watcher = watch(keysDir, {
      depth: 1,
      followSymlinks: false,
      ignoreInitial: true,
      ignorePermissionErrors: true,
    });
    this.#watcher.on('all', () => this.#wake());
    this.#watcher.on('raw', () => this.#wake());
    this.#watcher.on('error', (error) => {
      logger.warn(`the key folders are read only every ${RESCAN_MS / 1_000} s, they cannot be watched`, {
        folder: keysDir,
        error: errorText(error),
      });
    });
    // What changes from here on is heard, so the first import misses nothing.
    await firstEvent(this.#watcher);
    await this.#turn.pass(() => this.#import());
    this.#tick();
  }

  authenticate(
    name: string,
    key: { readonly type: string; readonly blob: string | Uint8Array },
  ): LoggedIn | { readonly refused: string } {
    const principal = this.#principals.get(name);
    const blob = typeof key.blob === 'string' ? key.blob : Buffer.from(key.blob).toString('base64');
    // Every key is compared, and one even for a name that is not there, so that time tells nothing.
    let isKnown = false;
    const keys = principal && principal.keys.length > 0 ? principal.keys : NO_KEYS;
    for (const own of keys) if (isSameKey(own.blob, blob) && own.type === key.type) isKnown = true;
    if (!principal) return { refused: `there is no worker and nobody called ${name}` };
    if (principal.revokedAtMs !== undefined) {
      return { refused: `${name} was revoked at ${new Date(principal.revokedAtMs).toISOString()}` };
    }
    if (!isKnown)
      return { refused: `the key is none of the ${principal.keys.length} keys of ${principal.role} ${name}` };
    return { ...principal, loginKey: blob };
  }

  isAdmitted(worker: string): boolean {
    const principal = this.#principals.get(worker);
    return principal?.role === 'worker' && principal.revokedAtMs === undefined;
  }

  isStillIn({ name, role, loginKey }: LoggedIn): boolean {
    const now = this.#principals.get(name);
    return now?.role === role && now.revokedAtMs === undefined && now.keys.some(({ blob }) => blob === loginKey);
  }

  admitNextKey(worker: string, loginKey: string, next: PublicKey): Promise<string | undefined> {
    return this.#turn.pass(async () => {
      const { store, logger } = this.#options;
      const principal = this.#principals.get(worker);
      const keys = withNextKey(principal, loginKey, next);
      if (!principal || 'refused' in keys) return 'refused' in keys ? keys.refused : 'the worker is gone';
      await store.principals.put({ ...principal, keys });
      logger.info('a worker has a next key', { worker, key: fingerprint(next) });
      await this.#import();
      return undefined;
    });
  }

  settleKey(worker: string, loginKey: string): Promise<boolean> {
    return this.#turn.pass(async () => {
      const { store, logger } = this.#options;
      const principal = this.#principals.get(worker);
      const keys = principal && settledKeys(principal.keys, loginKey);
      if (!keys) return false;
      await store.principals.put({ ...principal, keys });
      logger.info('a worker has another key', { worker, key: fingerprint({ blob: loginKey }) });
      await this.#import();
      return true;
    });
  }

  onRemoved(listener: (name: string) => void): Cancel {
    return this.#removed.on(listener);
  }

  list(): readonly Principal[] {
    return Array.from(this.#principals.values());
  }

  isTaken(name: string): boolean {
    return this.#principals.has(name);
  }

  change<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.pass(async () => {
      const done = await work();
      await this.#import();
      return done;
    });
  }

  addWorker(name: string, keys: readonly PublicKey[]): Promise<void> {
    return this.#turn.pass(async () => {
      const { store, logger } = this.#options;
      if (!isName(name)) throw new OperatorError('usage', `a worker's name is ${NAME_RULE}`);
      if (keys.length === 0 || keys.length > MAX_KEYS) {
        throw new OperatorError('usage', `give the worker's public key on standard input, at most ${MAX_KEYS} lines`);
      }
      const known = this.#principals.get(name);
      if (known && known.revokedAtMs === undefined) {
        throw new OperatorError(
          'conflict',
          `${name} is a ${known.role} already; revoke it first, or take another name`,
        );
      }
      await store.principals.put({ name, role: 'worker', keys, source: 'command' });
      logger.info('a worker was added', { worker: name });
      await this.#import();
    });
  }

  revokeWorker(name: string): Promise<void> {
    return this.#turn.pass(async () => {
      const { store, clock, logger } = this.#options;
      const known = this.#principals.get(name);
      if (!known) throw new OperatorError('not-found', `there is no worker ${name}; "workers" lists them`);
      if (known.role !== 'worker') {
        throw new OperatorError('conflict', `${name} is a ${known.role}, not a worker; remove its key file instead`);
      }
      if (known.revokedAtMs !== undefined) return;
      await store.principals.revoke(name, clock.now());
      logger.info('a worker was revoked', { worker: name });
      await this.#import();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    await this.#watcher?.close();
    await this.#turn.pass(() => Promise.resolve());
  }

  #wake(): void {
    if (this.#isSettling || this.#isClosed) return;
    this.#isSettling = true;
    // Not the clock's: this has nothing to do with the time that tests turn.
    setTimeout(() => {
      this.#isSettling = false;
      this.#rescan();
    }, SETTLE_MS).unref();
  }

  #tick(): void {
    this.#cancelTimer = this.#options.clock.after(RESCAN_MS, () => {
      this.#rescan();
      if (!this.#isClosed) this.#tick();
    });
  }

  #rescan(): void {
    if (this.#isClosed) return;
    this.#turn
      .pass(() => this.#import())
      .catch((error: unknown) => {
        this.#options.logger.error('could not import the key folders; they are read again soon', {
          error: errorText(error),
        });
      });
  }

  /** Brings table, memory and folders together, then tells of whoever lost a key. */
  async #import(): Promise<void> {
    const { store, keysDir } = this.#options;
    const folders = await readKeyFolders(keysDir);
    const plan = planImport(await store.principals.list(), folders);
    for (const principal of plan.puts) await store.principals.put(principal);
    for (const name of plan.removes) await store.principals.remove(name);
    this.#warn(new Map([...folders.faults, ...plan.faults]));
    const before = this.#principals;
    this.#principals = new Map((await store.principals.list()).map((principal) => [principal.name, principal]));
    for (const principal of before.values()) {
      if (hasLost(principal, this.#principals.get(principal.name))) this.#removed.emit(principal.name);
    }
  }

  /** Each fault is told once, and again when it changes. */
  #warn(faults: ReadonlyMap<string, string>): void {
    for (const [path, line] of faults) if (this.#faults.get(path) !== line) this.#options.logger.warn(line);
    this.#faults = faults;
  }
}

/** Ready, or not able to watch. */
function firstEvent(watcher: FSWatcher): Promise<void> {
  return new Promise((resolve) => {
    watcher.once('ready', resolve);
    watcher.once('error', () => resolve());
  });
}

const NO_KEYS: readonly PublicKey[] = [{ type: '', blob: '', comment: '' }];

/** True when something that opened the door does so no more. */
function hasLost(before: Principal, now: Principal | undefined): boolean {
  if (before.revokedAtMs !== undefined) return false;
  if (!now || now.revokedAtMs !== undefined || now.role !== before.role) return true;
  return before.keys.some((key) => !now.keys.some((own) => own.blob === key.blob && own.type === key.type));
}
