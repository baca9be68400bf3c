import type { Clock } from '../base/clock.ts';
import type { SchedulerShape } from '../config/scheduler-shape.ts';
import type { ConfigShape, ProjectShape } from '../config/shape.ts';
import type { BuildRequest } from '../model/build-request.ts';
import type { JsonObject } from '../model/json.ts';
import type { Patch, SourceStamp } from '../model/source-stamp.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { shown } from './operator-names.ts';
import { judgeSource } from './operator-trust.ts';
import { checkWish, findBuilder, findProject, wishDetail } from './operator-wish.ts';
import type { BuilderName, BuildWish } from './operator-wish.ts';
import type { PatchFolder } from './patches/patch-folder.ts';
import { askedScheduler, demandOn } from './schedulers/asked-scheduler.ts';

export interface TrySources {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
  readonly patches: PatchFolder;
}

const BUILDERS_MAX = 100;

/** Stores the patch, and asks for a build of it by each builder, all in one build set. */
export async function tryPatch(
  { store, clock, configs, patches }: TrySources,
  asker: Asker,
  targets: readonly BuilderName[],
  wish: BuildWish,
  pieces: AsyncIterable<Uint8Array>,
): Promise<readonly BuildRequest[]> {
  const { properties, reason } = wish;
  let taken: Patch | undefined;
  const detail = (): JsonObject => ({
    ...wishDetail(wish),
    ...(taken && { patch: taken.sha256, bytes: taken.bytes }),
  });
  const target = targets.map(({ project, builder }) => `${project}/${builder}`).join(',');
  return await audited(
    { store, clock },
    asker,
    { action: 'try a patch', target, detail, role: 'developer' },
    async () => {
      const { project, scheduler, ...wanted } = checkTry(configs.active, targets, wish);
      await demandOn({ store, clock }, project.name, scheduler);
      const source = await judgeSource({ store, clock }, project, wanted.source);
      return await patches.take(pieces, (patch) => {
        taken = patch;
        return store.requests.add({
          scheduler: scheduler.name,
          reason: reason ?? `tried by ${asker.name}`,
          owner: asker.name,
          source: { ...source, patch },
          properties: { ...scheduler.properties, ...properties },
          priority: scheduler.priority,
          builders: targets,
          atMs: clock.now(),
          ...(wish.externalId !== undefined && { externalId: wish.externalId }),
        });
      });
    },
  );
}

/** By which scheduler it is tried, and what the patch is put on. Throws what is wrong, and what to do, before the patch is read. */
function checkTry(
  config: ConfigShape,
  targets: readonly BuilderName[],
  wish: BuildWish,
): { readonly project: ProjectShape; readonly scheduler: SchedulerShape; readonly source: SourceStamp } {
  const [first] = targets;
  if (!first) throw new OperatorError('usage', 'no builder is named');
  if (targets.length > BUILDERS_MAX) throw new OperatorError('usage', `more than ${BUILDERS_MAX} builders`);
  const project = findProject(config, first.project);
  // Whether any may be tried at all is told first.
  askedScheduler(project, 'try', []);
  const seen = new Set<string>();
  for (const { project: name, builder } of targets) {
    if (name !== project.name) {
      throw new OperatorError('usage', `a patch is of one project: ${shown(project.name)}, or ${shown(name)}`);
    }
    if (seen.has(builder)) throw new OperatorError('usage', `builder "${shown(builder)}" is named twice`);
    seen.add(builder);
    if (findBuilder(project, builder).takesPatches) continue;
    throw new OperatorError(
      'conflict',
      `builder ${name}/${builder} has no checkout() of the project's source, which would apply the patch`,
    );
  }
  if (wish.revision === undefined) {
    throw new OperatorError('usage', 'say what the patch is a difference to: --revision $(git rev-parse HEAD)');
  }
  return { project, scheduler: askedScheduler(project, 'try', [...seen]), source: checkWish(project, wish) };
}
