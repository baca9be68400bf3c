import { Disposer } from '../../../../src/base/disposer.ts';
import type { FakeClock } from '../../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LocalBus } from '../../../../src/bus/local-bus.ts';
import { checkConfig } from '../../../../src/config/check-config.ts';
import type { SchedulerConfig } from '../../../../src/config/scheduler-values.ts';
import type { ConfigShape } from '../../../../src/config/shape.ts';
import { builder, defineMaster, git, project, sh, worker } from '../../../../src/index.ts';
import { takeChange } from '../../../../src/master/changes/take-change.ts';
import { Schedulers } from '../../../../src/master/schedulers/schedulers.ts';
import type { ChangeWish, SentChange } from '../../../../src/master/views/change.ts';
import type { Result } from '../../../../src/model/result.ts';
import type { Store, WaitingRequest } from '../../../../src/store/store.ts';
import { claimOf } from '../../../support/temp-store.ts';

export type Projects = Readonly<Record<string, readonly SchedulerConfig[]>>;

/** Projects of one repository, each with the builders `b` and `c` and these schedulers. */
export function shapeOf(projects: Projects, branch: string | undefined = 'main'): ConfigShape {
  const steps = [sh('make', 'make')];
  const builders = ['b', 'c'].map((name) => builder(name, { workers: ['w'], steps }));
  const source = git('/p.git', branch === undefined ? {} : { branch });
  const config = defineMaster({
    title: 'T',
    workers: [worker('w')],
    projects: Object.entries(projects).map(([name, schedulers]) => project(name, { source, builders, schedulers })),
  });
  const check = checkConfig('hash', config);
  if ('mistakes' in check) throw new Error(check.mistakes.join('\n'));
  return check.shape;
}

/** Changes and schedulers over a real store, by a clock that is turned by hand. */
export class SchedulerStand {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly bus = new LocalBus(silentLogger);
  readonly undo = new Disposer();
  config: ConfigShape;
  #changes = 0;

  constructor(store: Store, clock: FakeClock, projects: Projects) {
    this.store = store;
    this.clock = clock;
    this.config = shapeOf(projects);
  }

  loop(): Schedulers {
    const { store, clock, bus } = this;
    return new Schedulers({ store, bus, clock, logger: silentLogger, config: () => this.config });
  }

  /** A master that begins, looks once, and is gone: all it knows is in the store. */
  async look(): Promise<void> {
    const loop = this.loop();
    loop.open();
    await loop.close();
  }

  async change(wish: Partial<ChangeWish> = {}, of = 'p'): Promise<SentChange> {
    const project = this.config.projects.find(({ name }) => name === of);
    if (!project) throw new Error(`no project ${of}`);
    const filters = {
      ask: () => Promise.resolve({ error: 'there are no functions here' }),
      onFailed: (problem: string) => {
        throw new Error(problem);
      },
    };
    const revision = `r${++this.#changes}`;
    const { store, bus, clock } = this;
    return await takeChange({ store, bus, clock, filters }, project, { branch: 'main', revision, ...wish }, 'dora');
  }

  /** What waits, as `SCHEDULER: BUILDER…` by build set, in their order. */
  async sets(): Promise<readonly string[]> {
    const sets = new Map<number, string>();
    for (const { buildSetId, scheduler, builder } of await this.store.requests.pending()) {
      sets.set(buildSetId, `${sets.get(buildSetId) ?? `${scheduler}:`} ${builder}`);
    }
    return [...sets.values()];
  }

  async waiting(): Promise<readonly WaitingRequest[]> {
    return await this.store.requests.pending();
  }

  /** Builds all that waits, or what this scheduler asked for; what runs is ended, too. */
  async build(result: Result, gotRevision?: string, scheduler?: string): Promise<void> {
    for (const request of await this.waiting()) {
      if (scheduler === undefined || request.scheduler === scheduler) {
        await this.store.requests.claim(claimOf(request.id));
      }
    }
    for (const { id, requestId } of await this.store.builds.running()) {
      const property = { name: 'got_revision', value: gotRevision ?? '', source: 'checkout' };
      if (gotRevision !== undefined) await this.store.builds.setProperty(id, property);
      await this.store.builds.finish(id, result, undefined, this.clock.now());
      this.bus.publish('requests', requestId);
    }
  }
}
