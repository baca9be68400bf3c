import { isDeepStrictEqual } from 'node:util';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ConfigShape } from '../../config/shape.ts';
import { Keeping } from '../../model/keep-rules.ts';
import type { KeepRules, KeptBuild, Loss } from '../../model/keep-rules.ts';
import type { ArtifactFolder } from '../artifacts/artifact-folder.ts';
import type { Store } from '../../store/store.ts';

export interface JanitorOptions {
  readonly store: Pick<Store, 'retention' | 'artifacts'>;
  readonly artifacts: Pick<ArtifactFolder, 'removeUnused'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => Pick<ConfigShape, 'keep' | 'projects'>;
}

/** The first round waits until a started master has other things behind it. */
const FIRST_MS = 60_000;
const ROUND_MS = 10 * 60_000;
/** Builds that are looked at in one query. */
const PAGE = 200;
/** Between two deletions: builds that run come first. */
const PAUSE_MS = 10;
/**
 * Bundles, changes and requests without a build stay so long at least: a bundle may be stored a while before its first build, and a
 * poll may find again what a webhook told of.
 */
const UNBUILT_KEPT_MS = 86_400_000;

/**
 * Gives up what the configuration says is kept no more: build by build, each in a small transaction of its own, so that nothing ever waits for it
 * (buildbot#7244: a janitor that locks the database for hours). What a killed master had left over, the next round finds.
 */
export class Janitor {
  readonly #options: JanitorOptions;
  #cancel: Cancel | undefined;
  #wakeUp: (() => void) | undefined;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  open(): void {
    this.#plan(FIRST_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    this.#wakeUp?.();
    await this.#underWay;
  }

  #plan(ms: number): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#underWay = this.#round()
        .catch((error: unknown) => {
          const { logger } = this.#options;
          logger.error('what is kept no more could not be deleted; it is tried again', { error: errorText(error) });
        })
        .finally(() => this.#plan(ROUND_MS));
    });
  }

  async #round(): Promise<void> {
    const { store, clock } = this.#options;
    const { retention } = store;
    for (const project of await retention.projects()) {
      const rules = this.#rulesOf(project);
      if (Object.keys(rules).length > 0) await this.#keep(project, rules);
      if (this.#isClosed) return;
    }
    await this.#all(() => retention.removeFiles());
    await this.#all(() => retention.dropConfigs(clock.now() - UNBUILT_KEPT_MS));
  }

  #rulesOf(project: string): KeepRules {
    const { keep, projects } = this.#options.config();
    return { ...keep, ...projects.find(({ name }) => name === project)?.keep };
  }

  async #keep(project: string, rules: KeepRules): Promise<void> {
    const { store, clock } = this.#options;
    const { retention } = store;
    const keeping = new Keeping(rules, clock.now());
    const counts: Record<Loss, number> = { build: 0, logs: 0, artifacts: 0 };
    let newestGone = -Infinity;
    let before = Number.MAX_SAFE_INTEGER;
    for (let page: readonly KeptBuild[]; !this.#isClosed; before = page.at(-1)?.id ?? 0) {
      page = await retention.page(project, before, PAGE);
      if (page.length === 0) break;
      for (const build of page) {
        for (const loss of keeping.lossesOf(build)) {
          // A round may take hours: what a reload wants kept, because of a slip perhaps, is not deleted by what was said before.
          if (this.#isClosed || !isDeepStrictEqual(this.#rulesOf(project), rules)) return this.#tell(project, counts);
          if (!(await this.#lose(loss, build.id))) continue;
          counts[loss] += 1;
          if (loss === 'build') newestGone = Math.max(newestGone, build.finishedAtMs);
          await this.#pause();
        }
      }
    }
    // What never came to a build goes with the builds of its time.
    const endedBefore = Math.min(newestGone, clock.now() - UNBUILT_KEPT_MS);
    if (newestGone > 0) await this.#all(() => retention.dropUnbuilt(project, endedBefore));
    this.#tell(project, counts);
  }

  #tell(project: string, counts: Readonly<Record<Loss, number>>): void {
    const told = Object.entries(counts).filter(([, count]) => count > 0);
    if (told.length > 0) this.#options.logger.info('kept no more', { project, ...Object.fromEntries(told) });
  }

  /** False: it could not go yet. */
  async #lose(loss: Loss, build: number): Promise<boolean> {
    const { store, artifacts, clock } = this.#options;
    if (loss === 'logs') await store.retention.dropLogs(build, clock.now());
    else if (loss === 'artifacts') await artifacts.removeUnused(await store.artifacts.removeOf(build));
    else {
      const kept = await store.artifacts.list(build);
      if (!(await store.retention.dropBuild(build, clock.now()))) return false;
      // Of others with the same content nothing is removed.
      await artifacts.removeUnused([...new Set(kept.map(({ sha256 }) => sha256))]);
    }
    return true;
  }

  /** As often as there is some left. */
  async #all(some: () => Promise<number>): Promise<void> {
    while (!this.#isClosed && (await some()) > 0) await this.#pause();
  }

  async #pause(): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(PAUSE_MS, resolve);
      this.#wakeUp = () => {
        cancel();
        resolve();
      };
    });
    this.#wakeUp = undefined;
  }
}
