import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorCode, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { showSize } from '../../base/size.ts';
import { sleep } from '../../base/sleep.ts';
import type { Commands } from '../commands/commands.ts';
import type { KeyedQueue } from '../link/keyed-queue.ts';
import { freeBytes } from '../machine-facts.ts';
import { isIdle } from '../session-book.ts';
import type { SessionBook } from '../session-book.ts';
import { Caches } from './caches.ts';
import type { Cache } from './caches.ts';
import { idleFolders } from './choose-folder.ts';
import type { IdleFolder } from './choose-folder.ts';
import { Trash } from './trash.ts';
import { TreeWalk } from './tree.ts';
import { LOOK_MS, ROOM_WAIT_MS } from './work-limits.ts';
import type { CacheLimits, WorkLimits } from './work-limits.ts';

export interface EvictorOptions {
  readonly sessions: SessionBook;
  readonly commands: Commands;
  readonly orders: KeyedQueue;
  readonly workDir: string;
  readonly limits: WorkLimits;
  readonly cacheDir: string;
  readonly cacheLimits: CacheLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What may go: a folder of builds, or a cache. */
type Candidate = { readonly folder: IdleFolder } | { readonly cache: Cache };

/**
 * Removes the folders of builds and the caches that were not used for longest while there is too little room: too little free disk, or more in
 * all than is allowed. Never one in use: a session's folder is in use until the master has said that its build is over. A
 * folder is renamed into the trash in its turn among the session's orders, and removed from there in the background.
 */
export class Evictor {
  readonly #options: EvictorOptions;
  readonly #closing = new AbortController();
  readonly #walk: TreeWalk;
  readonly #trash: Trash;
  readonly #caches: Caches;
  /** Of folders that were measured, by directory, with when they had been used last then. */
  readonly #sizes = new Map<string, { readonly usedAtMs: number; readonly bytes: number }>();
  #cancelTimer: Cancel = () => undefined;
  #looking: Promise<void> | undefined;
  #isAgain = false;
  #told: string | undefined;

  constructor(options: EvictorOptions) {
    this.#options = options;
    this.#walk = new TreeWalk(options.clock, this.#closing.signal);
    this.#trash = new Trash(options.workDir, this.#walk, options.logger);
    this.#caches = new Caches(options.cacheDir, this.#walk, options.clock, options.logger);
  }

  /** Looks at once, and from time to time. */
  start(): void {
    this.wake();
    this.#cancelTimer = this.#options.clock.after(LOOK_MS, () => {
      if (!this.#closing.signal.aborted) this.start();
    });
  }

  /** Something changed: a look begins, or one more after the present one. */
  wake(): void {
    void this.#look();
  }

  /** Makes room when the disk has too little; resolves when it has, when nothing can go, or when it has taken too long. */
  async makeRoom(): Promise<void> {
    if (!(await this.#lacksDisk())) return;
    await Promise.race([this.#look(), sleep(this.#options.clock, ROOM_WAIT_MS, this.#closing.signal)]);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the worker stops'));
    this.#cancelTimer();
    await this.#looking;
  }

  #look(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    this.#isAgain = true;
    this.#looking ??= this.#lookAgain().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookAgain(): Promise<void> {
    while (this.#isAgain && !this.#closing.signal.aborted) {
      this.#isAgain = false;
      try {
        await this.#evictWhileShort();
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#options.logger.error(`folders could not be evicted: ${errorText(error)}`);
      }
    }
  }

  async #evictWhileShort(): Promise<void> {
    await this.#empty();
    const tried = new Set<string>();
    for (;;) {
      const lack = await this.#lack();
      if (lack === undefined) return this.#tell(undefined);
      const next = (await this.#candidates(lack)).find((one) => !tried.has(nameOf(one)));
      if (!next) return this.#tell(lack.why);
      tried.add(nameOf(next));
      const isTaken =
        'cache' in next ? await this.#evictCache(next.cache, lack.why) : await this.#evict(next.folder, lack.why);
      if (isTaken) await this.#empty();
    }
  }

  async #empty(): Promise<void> {
    await this.#trash.empty(this.#closing.signal);
    await this.#caches.empty(this.#closing.signal);
  }

  /** What there is too much of: `why` is for the log. */
  async #lack(): Promise<{ readonly why: string; readonly of: readonly ('folders' | 'caches')[] } | undefined> {
    const { workDir } = this.#options;
    const disk = await this.#lacksDisk();
    if (disk !== undefined) {
      return { why: disk, of: (await this.#caches.sharesDiskWith(workDir)) ? ['folders', 'caches'] : ['folders'] };
    }
    const folders = await this.#exceedsAll();
    if (folders !== undefined) return { why: folders, of: ['folders'] };
    const caches = await this.#cachesExceedAll();
    return caches === undefined ? undefined : { why: caches, of: ['caches'] };
  }

  /** The least recently used first. */
  async #candidates({ of }: { readonly of: readonly ('folders' | 'caches')[] }): Promise<readonly Candidate[]> {
    const { sessions } = this.#options;
    const folders = of.includes('folders') ? idleFolders(sessions.list(), sessions.left()) : [];
    const caches = of.includes('caches') ? await this.#caches.idle(await this.#usedFolders()) : [];
    return [...folders.map((folder) => ({ folder })), ...caches.map((cache) => ({ cache }))].toSorted(
      (one, other) => usedAtMs(one) - usedAtMs(other),
    );
  }

  /** Whole paths, as processes see them that run there. */
  async #usedFolders(): Promise<readonly string[]> {
    const workDir = await realpath(this.#options.workDir);
    const used = this.#options.sessions.list().filter((held) => !isIdle(held));
    return used.map(({ directory }) => join(workDir, directory));
  }

  async #cachesExceedAll(): Promise<string | undefined> {
    const { cacheDir, cacheLimits } = this.#options;
    const { inAllBytes } = cacheLimits;
    if (inAllBytes === undefined || (await this.#caches.bytes()) <= inAllBytes) return undefined;
    return `more than ${showSize(inAllBytes)} in ${cacheDir}`;
  }

  async #evictCache(cache: Cache, why: string): Promise<boolean> {
    const { logger } = this.#options;
    try {
      // A build may have begun to use it since it was chosen.
      const idle = await this.#caches.idle(await this.#usedFolders());
      if (!idle.some(({ path, usedAtMs }) => path === cache.path && usedAtMs === cache.usedAtMs)) return false;
      await this.#caches.evict(cache);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
    logger.info(`evicted a cache that no build uses: ${why}`, { folder: cache.path });
    return true;
  }

  /** Why there is too little room, for the log. */
  async #lacksDisk(): Promise<string | undefined> {
    const { workDir, limits } = this.#options;
    const free = await freeBytes(workDir);
    if (free === undefined || free >= limits.keepFreeBytes) return undefined;
    return `less than ${showSize(limits.keepFreeBytes)} free on the disk of ${workDir}`;
  }

  async #exceedsAll(): Promise<string | undefined> {
    const { limits, sessions, workDir } = this.#options;
    const { inAllBytes } = limits;
    if (inAllBytes === undefined) return undefined;
    let sum = 0;
    const used = sessions.list().map(({ directory, idle }) => ({ directory, usedAtMs: idle?.atMs ?? 0 }));
    const left = sessions.left().map(({ directory, atMs }) => ({ directory, usedAtMs: atMs }));
    for (const folder of [...used, ...left]) sum += await this.#sizeOf(folder);
    return sum > inAllBytes ? `more than ${showSize(inAllBytes)} in ${workDir}` : undefined;
  }

  /** Measured once after each use. */
  async #sizeOf({ directory, usedAtMs }: Omit<IdleFolder, 'session'>): Promise<number> {
    const known = this.#sizes.get(directory);
    if (known?.usedAtMs === usedAtMs) return known.bytes;
    const place = await this.#place(directory);
    const bytes = place === undefined ? 0 : await this.#walk.measure(place);
    this.#sizes.set(directory, { usedAtMs, bytes });
    return bytes;
  }

  /** True when the folder is out of the way. */
  async #evict({ session, directory }: IdleFolder, why: string): Promise<boolean> {
    const { orders, sessions, commands, clock, logger } = this.#options;
    let isTaken = false;
    await orders.push(session === undefined ? `folder ${directory}` : `session ${session}`, async () => {
      await this.#trash.prepare();
      const place = await this.#place(directory);
      if (place === undefined) {
        this.#sizes.delete(directory);
        return await sessions.dropLeft(directory);
      }
      const running = (await commands.list()).some((one) => one.session === session && one.state === 'running');
      // Nothing comes between this look and the rename.
      const isStillIdle = idleFolders(sessions.list(), sessions.left()).some((one) => one.directory === directory);
      if (running || !isStillIdle) return;
      this.#trash.take(place, clock.now());
      isTaken = true;
      this.#sizes.delete(directory);
      logger.info(`evicted a folder that no build uses: ${why}`, { folder: place });
      await sessions.dropLeft(directory);
    });
    return isTaken;
  }

  /** Where it is; undefined when it is not there, or is not what a session made: a link, or reached by one. */
  async #place(directory: string): Promise<string | undefined> {
    try {
      const place = join(await realpath(this.#options.workDir), directory);
      if ((await realpath(place)) !== place || !(await lstat(place)).isDirectory()) return undefined;
      return place;
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** Each lack that cannot be helped is told once. */
  #tell(why: string | undefined): void {
    if (why !== undefined && why !== this.#told) {
      this.#options.logger.warn(
        `${why}, and no folder of a build and no cache can go: make room by hand, or give the worker less`,
      );
    }
    this.#told = why;
  }
}

function nameOf(one: Candidate): string {
  return 'cache' in one ? one.cache.path : one.folder.directory;
}

function usedAtMs(one: Candidate): number {
  return 'cache' in one ? one.cache.usedAtMs : one.folder.usedAtMs;
}
