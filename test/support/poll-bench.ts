import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { Logger } from '../../src/base/logger.ts';
import { LocalBus } from '../../src/bus/local-bus.ts';
import { checkConfig } from '../../src/config/check-config.ts';
import { builder, defineMaster, git, project, worker } from '../../src/config/define.ts';
import { onChange } from '../../src/config/define-schedulers.ts';
import type { Check } from '../../src/config/check-config.ts';
import { answerQuestion } from '../../src/config/thread/answer-question.ts';
import { findFunction } from '../../src/config/thread/find-function.ts';
import { sh } from '../../src/config/steps/sh.ts';
import { SourcePolls } from '../../src/master/sources/source-polls.ts';
import { takeFound } from '../../src/master/sources/take-found.ts';
import type { Change } from '../../src/model/change.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreOptions } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';

export type GitOptions = NonNullable<Parameters<typeof git>[1]>;
/** Projects by name: their URL, and what `git()` is told of it. */
export type Polled = Readonly<Record<string, readonly [url: string, options?: GitOptions]>>;

type Loaded = Exclude<Check, { readonly mistakes: unknown }>;

export interface PollBenchOptions {
  readonly dir?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly onCommit?: StoreOptions['onCommit'];
}

/** Polls of some projects, into a real store, in a folder of a master that has nothing else. Only what a test asks for is polled. */
export class PollBench {
  readonly dir: string;
  readonly store: Store;
  #config: Loaded;
  readonly polls: SourcePolls;

  private constructor(dir: string, store: Store, config: Loaded, { clock, logger }: PollBenchOptions) {
    this.dir = dir;
    this.store = store;
    this.#config = config;
    const bus = new LocalBus(silentLogger);
    const ask = (place: string): never => {
      throw new Error(`${place} is asked`);
    };
    const filters = { ask, onFailed: ask };
    this.polls = new SourcePolls({
      store,
      clock: clock ?? systemClock,
      logger: logger ?? silentLogger,
      dir,
      mirrorsDir: join(dir, 'mirrors'),
      config: () => this.#config.shape,
      ask: async (place, args) => {
        const fn = findFunction(this.#config.config, place);
        return fn ? await answerQuestion(fn, args) : { error: `there is no ${place}` };
      },
      take: (one, change) => takeFound({ store, bus, clock: systemClock, filters }, one, change),
    });
    this.polls.open();
  }

  static async open(projects: Polled, options: PollBenchOptions = {}): Promise<PollBench> {
    const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'tl-poll-')));
    const store = await openStore({
      file: join(dir, 'trunkline.sqlite'),
      archiveDir: join(dir, 'logs'),
      clock: systemClock,
      logger: silentLogger,
      ...(options.onCommit && { onCommit: options.onCommit }),
    });
    return new PollBench(dir, store, load(projects), options);
  }

  change(projects: Polled): void {
    this.#config = load(projects);
    this.polls.look();
  }

  /** Polls, and resolves to what is new: `project branch subject`. */
  async poll(url: string): Promise<readonly string[]> {
    const before = new Set((await this.changes()).map(({ id }) => id));
    await this.polls.poll(url);
    const found = (await this.changes()).filter(({ id }) => !before.has(id));
    return found.map(({ project: name, branch, comments }) => `${name} ${branch} ${comments.trim()}`);
  }

  /** Oldest first. */
  async changes(): Promise<readonly Change[]> {
    return (await this.store.changes.list({ limit: 1_000 })).toReversed();
  }

  /** Its folder stays, for the next. */
  async leave(): Promise<void> {
    await this.polls.close();
    await this.store.close();
  }

  async close(): Promise<void> {
    await this.leave();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function load(projects: Polled): Loaded {
  const config = defineMaster({
    title: 'Polled',
    workers: [worker('w')],
    projects: Object.entries(projects).map(([name, [url, options]]) =>
      project(name, {
        source: git(url, { poll: '1d', ...options }),
        schedulers: [onChange({ branch: 'main' })],
        builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })],
      }),
    ),
  });
  const checked = checkConfig('c0ffee', config);
  if ('mistakes' in checked) throw new Error(checked.mistakes.join('\n'));
  return checked;
}
