import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import { errorCode } from '../../base/errors.ts';
import type { ArtifactStore } from '../../store/artifact-store.ts';

/** Hashes that are looked up at once. */
const AT_ONCE = 1_000;
const PIECE_BYTES = 256 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;
const HEAD = /^[0-9a-f]{2}$/;
/** A copy that is not whole. */
const UNFINISHED = '.tmp';

export interface StoredBlob {
  readonly sha256: string;
  readonly size: number;
  /** Its row is stored, or will never be. Until then it is not removed. */
  readonly settled: () => void;
}

/**
 * The bytes of artifacts, each content once, by its SHA-256: `ab/cdef…`. What has no row is an orphan: of a master that was killed between
 * the file and its row, and of builds that were removed.
 */
export class ArtifactFolder {
  readonly #dir: string;
  readonly #store: Pick<ArtifactStore, 'referenced'>;
  /** Blobs whose rows are under way, and how many. */
  readonly #held = new Map<string, number>();
  /** Blobs that are being looked up, and removed when no row has them. */
  #going: ReadonlySet<string> = new Set();
  #removal: Promise<void> = Promise.resolve();
  readonly #names = new Set<string>();

  private constructor(dir: string, store: Pick<ArtifactStore, 'referenced'>) {
    this.#dir = dir;
    this.#store = store;
  }

  /** Removes what has no row. Before the first build goes on. */
  static async open(dir: string, store: Pick<ArtifactStore, 'referenced'>): Promise<ArtifactFolder> {
    const folder = new ArtifactFolder(dir, store);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (const head of await readdir(dir)) {
      // A disk of its own has things of its own in it.
      if (!HEAD.test(head)) continue;
      const names = await readdir(join(dir, head));
      const whole = names.filter((name) => SHA256.test(head + name));
      for (const name of names) if (name.endsWith(UNFINISHED)) await rm(join(dir, head, name), { force: true });
      await folder.removeUnused(whole.map((name) => head + name));
    }
    return folder;
  }

  path(sha256: string): string {
    return join(this.#dir, sha256.slice(0, 2), sha256.slice(2));
  }

  /** The same of one that must be there. */
  async existing(sha256: string): Promise<string> {
    const path = this.path(sha256);
    try {
      await stat(path);
      return path;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      throw new Error('the master keeps its bytes no more', { cause: error });
    }
  }

  /** Of a name that is about to be stored: gives it free again; undefined when it is taken. */
  reserve(buildId: number, name: string): (() => void) | undefined {
    const key = `${buildId} ${name}`;
    if (this.#names.has(key)) return undefined;
    this.#names.add(key);
    return () => this.#names.delete(key);
  }

  /** Takes a file in, which stays where it is; its hash is the one that is found here. */
  async add(file: string): Promise<StoredBlob> {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) hash.update(piece as Buffer);
    const sha256 = hash.digest('hex');
    // Not beside a removal of the same content, which would take away what is found here.
    while (this.#going.has(sha256)) await this.#removal;
    this.#held.set(sha256, (this.#held.get(sha256) ?? 0) + 1);
    const settled = (): void => this.#release(sha256);
    try {
      await this.#place(file, this.path(sha256));
      const { size } = await stat(this.path(sha256));
      return { sha256, size, settled };
    } catch (error) {
      settled();
      throw error;
    }
  }

  /**
   * Removes those of the blobs that no row has, and none is about to have. A blob is held until its row is committed, and one that is about
   * to go is not taken in: so whatever is not held when the rows are asked for has its row there already, or never had one.
   */
  async removeUnused(hashes: readonly string[]): Promise<void> {
    for (let from = 0; from < hashes.length; from += AT_ONCE) {
      const some = hashes.slice(from, from + AT_ONCE);
      const removed = this.#removal.then(() => this.#removeSome(some));
      this.#removal = removed.catch(() => undefined); // Told to this caller, not to the next one in line.
      await removed;
    }
  }

  async #removeSome(hashes: readonly string[]): Promise<void> {
    const free = hashes.filter((sha256) => !this.#held.has(sha256));
    this.#going = new Set(free);
    try {
      const used = await this.#store.referenced(free);
      const unused = free.filter((sha256) => !used.has(sha256));
      await Promise.all(unused.map((sha256) => rm(this.path(sha256), { force: true })));
    } finally {
      this.#going = new Set();
    }
  }

  async #place(file: string, target: string): Promise<void> {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    try {
      await link(file, target);
    } catch (error) {
      // The same bytes are there.
      if (errorCode(error) === 'EEXIST') return;
      if (!NO_LINKS.has(errorCode(error) ?? '')) throw error;
      await copyDurably(file, target);
    }
    await chmod(target, 0o400);
    await syncFolder(dirname(target));
    await syncFolder(this.#dir);
  }

  #release(sha256: string): void {
    const left = (this.#held.get(sha256) ?? 1) - 1;
    if (left === 0) this.#held.delete(sha256);
    else this.#held.set(sha256, left);
  }
}

/** Another file system, or one that knows no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']);

async function copyDurably(file: string, target: string): Promise<void> {
  const beside = `${target}${UNFINISHED}`;
  await copyFile(file, beside);
  const copy = await open(beside, 'r+');
  try {
    await copy.sync();
  } finally {
    await copy.close();
  }
  await rename(beside, target);
}
