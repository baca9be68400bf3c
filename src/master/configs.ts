import type { Clock } from '../base/clock.ts';
import { UserMistake } from '../base/errors.ts';
import type { CodeHost } from '../config/code-host.ts';
import { diffShapes } from '../config/diff.ts';
import { requestRules } from '../config/request-shapes.ts';
import { loadConfig } from '../config/load-config.ts';
import { accessAfter } from '../model/access.ts';
import type { AccessByProject } from '../model/access.ts';
import type { ConfigShape } from '../config/shape.ts';
import type { Store } from '../store/store.ts';

export interface ConfigsOptions {
  readonly store: Store;
  readonly codeHost: CodeHost;
  readonly clock: Clock;
  /** The configuration file. */
  readonly file: string;
}

export interface Reloaded {
  readonly hash: string;
  readonly differences: readonly string[];
}

/** The configurations in use: the active one, which new builds are made from, and those that running builds keep. */
export class Configs {
  readonly #options: ConfigsOptions;
  readonly #loaded = new Map<string, Promise<ConfigShape>>();
  #active: ConfigShape;
  #access: AccessByProject;
  #reloading: Promise<unknown> = Promise.resolve();

  private constructor(options: ConfigsOptions, active: ConfigShape, access: AccessByProject) {
    this.#options = options;
    this.#active = active;
    this.#access = accessAfter(access, active.projects);
  }

  /** Loads the file; `activate` makes it the one that new builds are made from. */
  static async open(options: ConfigsOptions): Promise<Configs> {
    return new Configs(options, await load(options), await options.store.configs.access());
  }

  /** Nothing of the start can fail any more: the store is told. */
  async activate(): Promise<void> {
    await this.#options.store.configs.activate(this.#active.hash, this.#access, requestRules(this.#active));
  }

  get active(): ConfigShape {
    return this.#active;
  }

  /** Who may what of the projects that are limited, also of those that are gone. */
  get access(): AccessByProject {
    return this.#access;
  }

  /** The one of that hash, from the store when it is not loaded. */
  async get(hash: string): Promise<ConfigShape> {
    if (hash === this.#active.hash) return this.#active;
    let loading = this.#loaded.get(hash);
    if (!loading) {
      loading = this.#load(hash);
      this.#loaded.set(hash, loading);
      loading.catch(() => this.#loaded.delete(hash));
    }
    return await loading;
  }

  /** Loads the file anew. All of it becomes active, or (with a `UserMistake`) nothing changes. One at a time. */
  reload(): Promise<Reloaded> {
    const reloaded = this.#reloading.then(async () => {
      const before = this.#active;
      const running = await this.#options.store.builds.running();
      const loaded = await load(this.#options);
      const access = accessAfter(this.#access, loaded.projects);
      await this.#options.store.configs.activate(loaded.hash, access, requestRules(loaded));
      this.#letGoAllBut(new Set(running.map(({ configHash }) => configHash)));
      this.#loaded.set(before.hash, Promise.resolve(before));
      this.#active = loaded;
      this.#access = access;
      return { hash: loaded.hash, differences: diffShapes(before, loaded) };
    });
    this.#reloading = reloaded.catch(() => undefined); // Told to its own caller.
    return reloaded;
  }

  /** What no build keeps. One that is claimed in this moment finds its own in the store. */
  #letGoAllBut(kept: ReadonlySet<string>): void {
    for (const hash of this.#loaded.keys()) if (!kept.has(hash)) this.#loaded.delete(hash);
  }

  async #load(hash: string): Promise<ConfigShape> {
    const bundle = await this.#options.store.configs.bundle(hash);
    if (!bundle) throw new UserMistake(`configuration ${hash.slice(0, 12)} is not in the database`);
    return await this.#options.codeHost.load(hash, bundle);
  }
}

async function load({ store, codeHost, clock, file }: ConfigsOptions): Promise<ConfigShape> {
  const { hash, bundle, shape } = await loadConfig(file, codeHost);
  await store.configs.put({ hash, bundle, atMs: clock.now() });
  return shape;
}
