import type { ConfigShape, ProjectShape } from '../config/shape.ts';
import { isBeingChecked } from '../model/build.ts';
import { VIRTUAL_TAG, virtualBuilderOf } from '../model/virtual-builder.ts';
import type { BuilderName, KnownVirtual, LastEnd } from '../store/builder-store.ts';
import type { BuildFilter, Store } from '../store/store.ts';
import { demand } from './audit.ts';
import type { Configs } from './configs.ts';
import type { Asker } from './operator.ts';
import { findProject } from './operator-wish.ts';
import type { BuildsWish } from './views/build.ts';
import type { BuildersWish, BuilderView } from './views/builder.ts';

export interface BuilderSources {
  readonly store: Store;
  readonly configs: Pick<Configs, 'active'>;
}

/** What is the builder's own, whatever becomes of it. */
type Facts = Omit<BuilderView, 'running' | 'waiting' | 'last'>;

/** The builders of the configuration, and the virtual ones of each of its projects, with what becomes of each now. */
export async function listBuilders(
  { store, configs }: BuilderSources,
  asker: Asker,
  { project: of, tags: wanted }: BuildersWish,
): Promise<readonly BuilderView[]> {
  demand(asker, 'reader', 'list builders');
  const projects = of === undefined ? configs.active.projects : [findProject(configs.active, of)];
  const known = await store.builders.virtual();
  const found = projects
    .flatMap((project) => [...ownFacts(project), ...virtualFacts(project, known)])
    .filter(({ tags }) => wanted.every((tag) => tags.includes(tag)));
  const names = (isVirtual: boolean): readonly BuilderName[] =>
    found.filter(({ virtualOf }) => (virtualOf !== null) === isVirtual).map(nameOf);
  const [ends, virtualEnds, running, waiting] = await Promise.all([
    store.builders.lastEnds(names(false)),
    store.builders.lastVirtualEnds(names(true)),
    store.builds.running(),
    store.requests.pending(),
  ]);
  const lasts = new Map([...ends, ...virtualEnds].map((end) => [keyOf(end), end]));
  const shown = running.filter((build) => !isBeingChecked(build));
  const runs = countOf(shown.flatMap((build) => withVirtualName(build, build.virtualBuilder)));
  const willBe = (request: (typeof waiting)[number]): string | undefined =>
    virtualBuilderOf({ ...propertiesOf(configs.active, request), ...request.properties })?.name;
  const waits = countOf(waiting.flatMap((one) => withVirtualName(one, known.length > 0 ? willBe(one) : undefined)));
  return found.map((facts): BuilderView => {
    const key = keyOf(nameOf(facts));
    return { ...facts, running: runs.get(key) ?? 0, waiting: waits.get(key) ?? 0, last: lastView(lasts.get(key)) };
  });
}

/** The filter by what builds are shown as, where it names no builder of the configuration, but a virtual one. */
export async function withVirtual({ store, configs }: BuilderSources, wish: BuildsWish): Promise<BuildFilter> {
  const { project, builder, ...rest } = wish;
  if (project === undefined || builder === undefined) return wish;
  const shape = configs.active.projects.find(({ name }) => name === project);
  if (shape?.builders.some(({ name }) => name === builder)) return wish;
  const known = await store.builders.virtual();
  const isVirtual = known.some((one) => one.project === project && one.name === builder);
  return isVirtual ? { ...rest, project, virtualBuilder: builder } : wish;
}

function ownFacts({ name: project, description, builders }: ProjectShape): readonly Facts[] {
  return builders.map((builder) => ({
    project,
    name: builder.name,
    virtualOf: null,
    description: builder.description ?? null,
    projectDescription: description ?? null,
    tags: builder.tags ?? [],
    workers: builder.workers,
  }));
}

/** One that is called as a builder of the project is that one. */
function virtualFacts(
  { name: project, description: ofProject, builders }: ProjectShape,
  known: readonly KnownVirtual[],
): readonly Facts[] {
  return known
    .filter((one) => one.project === project && !builders.some(({ name }) => name === one.name))
    .map(({ name, builder, description, tags }) => ({
      project,
      name,
      virtualOf: builder,
      description: description ?? null,
      projectDescription: ofProject ?? null,
      tags: [VIRTUAL_TAG, ...tags],
      workers: builders.find((one) => one.name === builder)?.workers ?? [],
    }));
}

function propertiesOf({ projects }: ConfigShape, { project, builder }: BuilderName) {
  const shape = projects.find(({ name }) => name === project)?.builders.find(({ name }) => name === builder);
  return shape?.properties ?? {};
}

function lastView(last: LastEnd | undefined): BuilderView['last'] {
  if (!last) return null;
  return { build: last.id, number: last.number, result: last.result, finishedAtMs: last.finishedAtMs };
}

function withVirtualName({ project, builder }: BuilderName, name: string | undefined): readonly BuilderName[] {
  const own = { project, builder };
  return name === undefined || name === builder ? [own] : [own, { project, builder: name }];
}

function nameOf({ project, name }: Facts): BuilderName {
  return { project, builder: name };
}

function keyOf({ project, builder }: BuilderName): string {
  return `${project}/${builder}`;
}

function countOf(items: readonly BuilderName[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
