import type { Clock } from '../../base/clock.ts';
import type { TriggerArgs } from '../../config/calls.ts';
import type { SchedulerShape } from '../../config/scheduler-shape.ts';
import type { ConfigShape, ProjectShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import type { SourceStamp } from '../../model/source-stamp.ts';
import type { NewBuildSet, Store } from '../../store/store.ts';
import { wantedSource } from './wanted-source.ts';
import { externalIdMistake } from '../operator-wish.ts';
import { joinedProperties } from '../schedulers/joined-properties.ts';
import { offText } from '../schedulers/waits-for.ts';

/** A build that was triggered by a build that was triggered, and so on: at most so many in a line. */
export const LONGEST_LINE = 10;

type TriggeredSet = NewBuildSet & Required<Pick<NewBuildSet, 'parent'>>;

interface Sources {
  readonly store: Pick<Store, 'approvals' | 'builds' | 'changes' | 'schedulers'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly config: () => ConfigShape;
}

/** The build sets that a call asks for, one a scheduler, each with its key; or why there are none. */
export async function triggeredSets(
  { store, clock, config }: Sources,
  build: Build,
  keys: readonly string[],
  args: TriggerArgs,
): Promise<{ readonly sets: readonly TriggeredSet[] } | { readonly mistake: string }> {
  const wrong = externalIdMistake(args.externalId);
  if (wrong !== undefined) return { mistake: `nothing is triggered: ${wrong}` };
  const line = await store.builds.lineage(build.id, LONGEST_LINE);
  const records = await store.schedulers.list();
  const sets: TriggeredSet[] = [];
  for (const [index, name] of args.schedulers.entries()) {
    const target = findTarget(config(), build.project, name);
    if ('mistake' in target) return target;
    const { project, scheduler } = target;
    const { off } = records.find((one) => one.project === project.name && one.scheduler === scheduler.name) ?? {};
    if (off) {
      const text = offText(off, clock.now());
      return { mistake: `nothing is triggered: scheduler ${project.name}/${scheduler.name} ${text}` };
    }
    const closed = closes(line, project.name, scheduler.builders);
    if (closed !== undefined) return { mistake: closed };
    const source = args.source
      ? await wantedSource({ store, clock }, project, args.source)
      : sourceOf(project, build, args);
    if ('mistake' in source) return source;
    const isOfItsChanges =
      !args.source && source.repository !== undefined && source.repository === build.source.repository;
    sets.push({
      reason: scheduler.reason ?? `triggered by build ${build.id} of ${build.project}/${build.builder}`,
      owner: build.owner,
      source,
      ...joinedProperties(['scheduler', scheduler.properties], ['trigger', args.properties]),
      priority: scheduler.priority,
      builders: scheduler.builders.map((builder) => ({ project: project.name, builder })),
      scheduler: scheduler.name,
      atMs: clock.now(),
      parent: { buildId: build.id, key: keys[index] ?? '', waits: args.waits },
      ...(isOfItsChanges && { changesOf: build.id }),
      ...(args.externalId !== undefined && { externalId: args.externalId }),
    });
  }
  return { sets };
}

function findTarget(
  config: ConfigShape,
  own: string,
  name: string,
): { readonly project: ProjectShape; readonly scheduler: SchedulerShape } | { readonly mistake: string } {
  const slash = name.indexOf('/');
  const [of, called] = slash < 0 ? [own, name] : [name.slice(0, slash), name.slice(slash + 1)];
  const project = config.projects.find((one) => one.name === of);
  if (!project) return { mistake: `nothing is triggered: there is no project ${of} in the configuration (any more)` };
  const scheduler = project.schedulers.find((one) => one.name === called);
  if (scheduler?.kind === 'triggerable') return { project, scheduler };
  const there = project.schedulers.filter(({ kind }) => kind === 'triggerable').map((one) => one.name);
  return {
    mistake: `nothing is triggered: project ${of} has no triggerable scheduler ${called}; it has ${there.join(', ') || 'none'}`,
  };
}

/** A builder that is asked for by a build of its own, or a line that does not end, would never come to an end. */
function closes(
  line: readonly Pick<Build, 'id' | 'project' | 'builder'>[],
  project: string,
  builders: readonly string[],
): string | undefined {
  const before = line.map((build) => `${build.project}/${build.builder}`);
  for (const builder of builders) {
    const next = `${project}/${builder}`;
    const at = before.indexOf(next);
    if (at >= 0) return `nothing is triggered: it would go in a circle: ${inWords(before.slice(0, at + 1), next)}`;
    if (before.length < LONGEST_LINE) continue;
    return `nothing is triggered: it would be longer than ${LONGEST_LINE} builds in a line: ${inWords(before, next)}`;
  }
  return undefined;
}

function inWords(before: readonly string[], next: string): string {
  return [...before.toReversed(), next].join(' → ');
}

/**
 * Of the build's own repository what it is of itself, or the tip of its branch; of another one its own branch. Of a fork it is
 * always what was approved: its branch may have another tip by now.
 */
function sourceOf({ source }: ProjectShape, build: Build, { isPinned, gotRevision }: TriggerArgs): SourceStamp {
  const of = source && { repository: source.url, ...(source.branch !== undefined && { branch: source.branch }) };
  const own = build.source;
  if (!of || own.repository !== of.repository) return of ?? {};
  const branch = own.branch ?? of.branch;
  const isUntrusted = own.untrustedOf !== undefined;
  const revision = (isUntrusted ? undefined : gotRevision) ?? own.revision;
  const isSame = isPinned || isUntrusted;
  return {
    repository: of.repository,
    ...(branch !== undefined && { branch }),
    ...(isSame && revision !== undefined && { revision }),
    ...(isSame && own.patch && { patch: own.patch }),
  };
}
