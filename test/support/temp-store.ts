import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../src/base/fake-clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Log } from '../../src/model/log.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreOptions } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';

/** A SQLite store in a folder of its own, with a clock turned by hand: sealing rounds come when it is turned by a minute. */
export class TempStore {
  readonly dir: string;
  readonly clock = new FakeClock();
  readonly #opened: Store[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<TempStore> {
    return new TempStore(await mkdtemp(join(tmpdir(), 'trunkline-store-')));
  }

  get file(): string {
    return join(this.dir, 'trunkline.sqlite');
  }

  get archiveDir(): string {
    return join(this.dir, 'logs');
  }

  async open(options: Partial<StoreOptions> = {}): Promise<Store> {
    const { file, archiveDir, clock } = this;
    const store = await openStore({ file, archiveDir, clock, logger: silentLogger, ...options });
    this.#opened.push(store);
    return store;
  }

  async remove(): Promise<void> {
    for (const store of this.#opened) await store.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A running build of `p/b` on `w` with one step. */
export async function claimedBuild(store: Store, builder = 'b') {
  const [request] = await store.requests.add(buildSet(builder));
  return store.requests.claim({
    requestId: request!.id,
    worker: 'w',
    configHash: 'c0ffee',
    stepNames: ['make'],
    properties: [],
    atMs: 2_000,
  });
}

/** A claim of a request for `worker`, with two steps. */
export const claimOf = (requestId: number, worker = 'w') => ({
  requestId,
  worker,
  configHash: 'c0ffee',
  stepNames: ['checkout', 'make'],
  properties: [],
  atMs: 2_000,
});

export function buildSet(...builders: readonly string[]) {
  return {
    reason: 'because',
    owner: 'anna',
    source: { branch: 'main' },
    properties: {},
    priority: 0,
    builders: builders.map((builder) => ({ project: 'p', builder })),
    atMs: 1_000,
  };
}

/** An empty log of a command of a running build. */
export async function emptyLog(store: Store, command = 'c1'): Promise<Log> {
  const running = await store.builds.running();
  const build = running[0] ?? (await claimedBuild(store));
  const record = { id: command, buildId: build.id, step: 0, key: command, kind: 'run', call: {} };
  return (await store.commands.start(record, { name: 'stdio' }))!;
}
