import type { Build } from '../../model/build.ts';
import type { KnownRequest, Store } from '../../store/store.ts';
import type { BuildView, ChildView } from './build.ts';

/** Who triggered a build, what it triggered, and what it is a rebuild of, or was rebuilt as. */
export async function familyOf(
  store: Pick<Store, 'builds' | 'requests'>,
  { id, parent }: Build,
): Promise<Pick<BuildView, 'parent' | 'children' | 'rebuildOf' | 'rebuiltAs'>> {
  const [asked, children, rebuilds] = await Promise.all([
    parent && store.builds.find(parent.buildId),
    store.requests.childrenOf(id),
    store.builds.rebuilds(id),
  ]);
  return {
    parent: asked && parent ? { ...named(asked), waits: parent.waits } : null,
    children: children.map(childView),
    rebuildOf: rebuilds.of ?? null,
    rebuiltAs: rebuilds.as,
  };
}

function named({ id, project, builder, number }: Build): Omit<NonNullable<BuildView['parent']>, 'waits'> {
  return { build: id, project, builder, number };
}

const STATES = { pending: 'waiting', claimed: 'running', finished: 'ended' } as const;

function childView({ id, project, builder, state, result, buildId, parent }: KnownRequest): ChildView {
  return {
    request: id,
    project,
    builder,
    state: STATES[state],
    result: result ?? null,
    build: buildId ?? null,
    isWaitedFor: parent?.waits ?? false,
  };
}

/** The same build for somebody who may not read all of its family: what he may not read is not there. */
export function ofReadable(view: BuildView, reads: (project: string) => boolean): BuildView {
  const { parent, children } = view;
  return {
    ...view,
    parent: parent && reads(parent.project) ? parent : null,
    children: children.filter(({ project }) => reads(project)),
  };
}
