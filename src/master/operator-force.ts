import type { Clock } from '../base/clock.ts';
import { readParameters } from '../config/parameters/read-parameters.ts';
import type { ForceShape } from '../config/scheduler-shape.ts';
import type { ConfigShape, ProjectShape } from '../config/shape.ts';
import type { BuildRequest } from '../model/build-request.ts';
import type { JsonObject } from '../model/json.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { Store } from '../store/store.ts';
import { audited, demand } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { shown } from './operator-names.ts';
import { judgeSource } from './operator-trust.ts';
import { checkWish, findBuilder, findProject, wishDetail } from './operator-wish.ts';
import type { BuilderName } from './operator-wish.ts';
import { askedScheduler, demandOn, schedulersFor } from './schedulers/asked-scheduler.ts';
import { joinedProperties } from './schedulers/joined-properties.ts';
import type { ForceForm, ForceWish } from './views/request.ts';

export interface ForceSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
}

const HIGHEST_PRIORITY = 100;

/** Asks for one build. */
export async function forceBuild(
  { store, clock, configs }: ForceSources,
  asker: Asker,
  target: BuilderName,
  wish: ForceWish,
): Promise<BuildRequest> {
  const name = `${target.project}/${target.builder}`;
  const { worker, priority } = wish;
  const detail = {
    ...wishDetail(wish),
    ...(worker !== undefined && { worker }),
    ...(priority !== undefined && { priority }),
  };
  const action = { action: 'force a build', target: name, detail, role: 'developer' } as const;
  return await audited({ store, clock }, asker, action, async () => {
    if (priority !== undefined) checkPriority(asker, priority);
    const { project, scheduler, properties, ...wanted } = checkForce(configs.active, target, wish);
    await demandOn({ store, clock }, target.project, scheduler);
    const source = await judgeSource({ store, clock }, project, wanted.source);
    const [added] = await store.requests.add({
      scheduler: scheduler.name,
      reason: wish.reason ?? `forced by ${asker.name}`,
      owner: asker.name,
      source,
      ...joinedProperties(['scheduler', scheduler.properties], ['request', properties]),
      priority: priority ?? scheduler.priority,
      builders: [{ project: target.project, builder: target.builder }],
      atMs: clock.now(),
      ...(worker !== undefined && { worker }),
      ...(wish.externalId !== undefined && { externalId: wish.externalId }),
    });
    if (!added) throw new OperatorError('unavailable', `the request for ${name} was not stored; try again`);
    return added;
  });
}

/** What each of the force schedulers of a builder asks of whoever forces a build of it. */
export function forceForms(config: ConfigShape, target: BuilderName): readonly ForceForm[] {
  const project = findProject(config, target.project);
  const { workers } = findBuilder(project, target.builder);
  return schedulersFor(project, 'force', [target.builder]).map((scheduler) => ({
    project: project.name,
    scheduler: scheduler.name,
    isReasonRequired: scheduler.isReasonRequired ?? false,
    parameters: scheduler.parameters ?? null,
    workers,
  }));
}

/** By which scheduler a build is forced, and of what. Throws what is wrong with the wish, and what to do. */
function checkForce(
  config: ConfigShape,
  target: BuilderName,
  wish: ForceWish,
): {
  readonly project: ProjectShape;
  readonly scheduler: ForceShape;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
} {
  const project = findProject(config, target.project);
  const { workers } = findBuilder(project, target.builder);
  const scheduler = askedScheduler(project, 'force', [target.builder], wish.scheduler);
  const source = checkWish(project, wish);
  const { worker } = wish;
  if (worker !== undefined && !workers.includes(worker)) {
    throw new OperatorError(
      'usage',
      `"${shown(worker)}" is no worker of ${project.name}/${target.builder}: those are ${shown(workers.join(', '))}`,
    );
  }
  if (scheduler.isReasonRequired && !wish.reason) {
    throw new OperatorError('usage', `a build of ${project.name} is forced with a reason: --reason TEXT`);
  }
  const properties = checkParameters(project.name, target.builder, scheduler, wish.properties);
  return { project, scheduler, source, properties };
}

function checkParameters(project: string, builder: string, { parameters }: ForceShape, given: JsonObject): JsonObject {
  if (!parameters) return given;
  const read = readParameters(parameters, given);
  if ('properties' in read) return read.properties;
  throw new OperatorError('usage', `${read.mistakes.join('; ')} ("parameters ${project}/${builder}" lists them)`);
}

function checkPriority(asker: Asker, priority: number): void {
  demand(asker, 'operator', 'say the priority of a build');
  if (Number.isSafeInteger(priority) && Math.abs(priority) <= HIGHEST_PRIORITY) return;
  throw new OperatorError('usage', `a priority is a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`);
}
