import { isBeingChecked } from '../model/build.ts';
import type { BuilderName } from '../store/builder-store.ts';
import type { Store } from '../store/store.ts';
import { demand } from './audit.ts';
import type { Configs } from './configs.ts';
import type { Asker } from './operator.ts';
import { findProject } from './operator-wish.ts';
import type { BuildersWish, BuilderView } from './views/builder.ts';

export interface BuilderSources {
  readonly store: Store;
  readonly configs: Pick<Configs, 'active'>;
}

/** The builders of the configuration, with what becomes of each now. */
export async function listBuilders(
  { store, configs }: BuilderSources,
  asker: Asker,
  { project: of, tags: wanted }: BuildersWish,
): Promise<readonly BuilderView[]> {
  demand(asker, 'reader', 'list builders');
  const projects = of === undefined ? configs.active.projects : [findProject(configs.active, of)];
  const found = projects.flatMap((project) =>
    project.builders
      .filter(({ tags = [] }) => wanted.every((tag) => tags.includes(tag)))
      .map((builder) => ({ project, builder })),
  );
  const names = found.map(({ project, builder }): BuilderName => ({ project: project.name, builder: builder.name }));
  const [ends, running, waiting] = await Promise.all([
    store.builders.lastEnds(names),
    store.builds.running(),
    store.requests.pending(),
  ]);
  const lasts = new Map(ends.map((end) => [keyOf(end), end]));
  const runs = countOf(running.filter((build) => !isBeingChecked(build)));
  const waits = countOf(waiting);
  return found.map(({ project, builder }): BuilderView => {
    const key = keyOf({ project: project.name, builder: builder.name });
    const last = lasts.get(key);
    return {
      project: project.name,
      name: builder.name,
      description: builder.description ?? null,
      projectDescription: project.description ?? null,
      tags: builder.tags ?? [],
      workers: builder.workers,
      running: runs.get(key) ?? 0,
      waiting: waits.get(key) ?? 0,
      last: last ? { build: last.id, number: last.number, result: last.result, finishedAtMs: last.finishedAtMs } : null,
    };
  });
}

function keyOf({ project, builder }: BuilderName): string {
  return `${project}/${builder}`;
}

function countOf(items: readonly BuilderName[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
