import type { Clock } from '../base/clock.ts';
import type { Build } from '../model/build.ts';
import type { BuildRequest } from '../model/build-request.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { NewBuildSet, Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { findBuild } from './operator-names.ts';
import { findBuilder, findProject } from './operator-wish.ts';
import type { PatchFolder } from './patches/patch-folder.ts';
import type { RebuildWish } from './views/request.ts';

export interface RebuildSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
  readonly patches: PatchFolder;
}

const PRIORITY = 0;
const GOT_REVISION = 'got_revision';

/** Asks for a build anew, or for all that was asked for together with it, with the same source and properties. */
export async function rebuild(
  { store, clock, configs, patches }: RebuildSources,
  asker: Asker,
  name: string,
  wish: RebuildWish,
): Promise<readonly BuildRequest[]> {
  const { isLatest, isWholeSet } = wish;
  const action = { action: 'rebuild', target: name, detail: { ...wish }, role: 'developer' } as const;
  return await audited({ store, clock }, asker, action, async () => {
    const build = await findBuild(store, name);
    const request = await store.requests.find(build.requestId);
    if (!request) throw new OperatorError('unavailable', `the request of build ${build.id} is not there`);
    const siblings = isWholeSet ? await store.requests.ofSet(request.buildSetId) : [request];
    for (const { project, builder } of siblings) findBuilder(findProject(configs.active, project), builder);
    const source = isLatest ? latest(build) : await pinned(store, build);
    const set: NewBuildSet = {
      reason: wish.reason ?? `rebuild of build ${build.id}`,
      owner: asker.name,
      source,
      properties: request.properties,
      ...(request.propertySources && { propertySources: request.propertySources }),
      priority: PRIORITY,
      builders: siblings.map(({ project, builder }) => ({ project, builder })),
      atMs: clock.now(),
      rebuiltOf: build.id,
      ...(request.worker !== undefined && { worker: request.worker }),
      ...(!isLatest && { changesOf: build.id }),
    };
    return source.patch
      ? await patches.keep(source.patch, () => store.requests.add(set))
      : await store.requests.add(set);
  });
}

/** What it really built, when that is known. */
async function pinned(store: Store, { id, source }: Build): Promise<SourceStamp> {
  const got = (await store.builds.properties(id)).find(({ name }) => name === GOT_REVISION)?.value;
  return typeof got === 'string' && got !== '' ? { ...source, revision: got } : source;
}

function latest({ id, source }: Build): SourceStamp {
  if (source.patch) {
    throw new OperatorError(
      'conflict',
      `build ${id} has a patch, which is a difference to its own revision: leave --latest out, or try the patch anew`,
    );
  }
  if (source.untrustedOf !== undefined) {
    throw new OperatorError(
      'conflict',
      `build ${id} is of a fork, whose tip may be another one at any time: leave --latest out, or force the revision that you have looked at`,
    );
  }
  const { revision: _revision, ...tip } = source;
  return tip;
}
