import type { Clock } from '../base/clock.ts';
import type { SchedulerShape } from '../config/scheduler-shape.ts';
import type { ConfigShape } from '../config/shape.ts';
import type { BuildRequest } from '../model/build-request.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { checkWish, findBuilder, findProject, wishDetail } from './operator-wish.ts';
import type { BuilderName, BuildWish } from './operator-wish.ts';
import { askedScheduler } from './schedulers/asked-scheduler.ts';

export interface ForceSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
}

/** Asks for one build. */
export async function forceBuild(
  { store, clock, configs }: ForceSources,
  asker: Asker,
  target: BuilderName,
  wish: BuildWish,
): Promise<BuildRequest> {
  const name = `${target.project}/${target.builder}`;
  const action = { action: 'force a build', target: name, detail: wishDetail(wish), role: 'developer' } as const;
  return await audited({ store, clock }, asker, action, async () => {
    const { scheduler, source } = checkForce(configs.active, target, wish);
    const [added] = await store.requests.add({
      scheduler: scheduler.name,
      reason: wish.reason ?? `forced by ${asker.name}`,
      owner: asker.name,
      source,
      properties: { ...scheduler.properties, ...wish.properties },
      priority: scheduler.priority,
      builders: [{ project: target.project, builder: target.builder }],
      atMs: clock.now(),
    });
    if (!added) throw new OperatorError('unavailable', `the request for ${name} was not stored; try again`);
    return added;
  });
}

/** By which scheduler a build is forced, and its source. Throws what is wrong with the wish, and what to do. */
function checkForce(
  config: ConfigShape,
  target: BuilderName,
  wish: BuildWish,
): { readonly scheduler: SchedulerShape; readonly source: SourceStamp } {
  const project = findProject(config, target.project);
  findBuilder(project, target.builder);
  return { scheduler: askedScheduler(project, 'force', [target.builder]), source: checkWish(project, wish) };
}
