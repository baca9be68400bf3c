import { doubles } from './doubles.ts';
import { changeFilterShape } from './change-filter-schema.ts';
import type { CheckedProject } from './config-schema.ts';
import { schedulerRequestsShape } from './request-shapes.ts';
import { cronMistake } from './cron.ts';
import { parseDuration } from './duration.ts';
import type { SchedulerShape } from './scheduler-shape.ts';
import { parameterShapes } from './parameters/schema.ts';
import type { CheckedScheduler } from './scheduler-schema.ts';

/** What is wrong with the schedulers of a project beside the rest of it, each with its place. */
export function schedulerMistakes(project: CheckedProject): readonly string[] {
  const { schedulers = [], builders, source } = project;
  const mistakes = doubles(schedulers.map((one) => ({ name: nameOf(one) }))).map(
    (name) => `project "${project.name}": scheduler "${name}" is there twice; give one of them another name`,
  );
  for (const scheduler of schedulers) {
    const told = (what: string): void =>
      void mistakes.push(`project "${project.name}", scheduler "${nameOf(scheduler)}": ${what}`);
    for (const builder of scheduler.builders ?? []) {
      if (builders.some((one) => one.name === builder)) continue;
      told(`the project has no builder "${builder}"; correct the name, or add it to its builders`);
    }
    if (!source && isForChanges(scheduler)) {
      told('it waits for changes, and the project has no source; give it git(url), or remove it');
    } else if (
      'onlyIfChanged' in scheduler &&
      scheduler.onlyIfChanged &&
      (scheduler.branch ?? source?.branch) === undefined
    ) {
      told("onlyIfChanged goes by a branch: name it, branch: 'main', here or in git()");
    }
    if ('quietAtMost' in scheduler && scheduler.quietAtMost !== undefined) {
      const { quiet, quietAtMost } = scheduler;
      if (quiet === undefined || parseDuration(quietAtMost) < parseDuration(quiet)) {
        told('quietAtMost is no less than quiet, and goes with it');
      }
    }
    if (scheduler.kind === 'nightly') {
      const { at, forceAt = at, zone = DEFAULT_ZONE } = scheduler;
      const mistake = cronMistake({ at, zone }) ?? cronMistake({ at: forceAt, zone });
      if (mistake !== undefined) told(mistake);
    }
  }
  return mistakes;
}

const DEFAULT_ZONE = 'UTC';

function isForChanges(scheduler: CheckedScheduler): boolean {
  if (scheduler.kind === 'onChange' || scheduler.kind === 'anyBranch') return true;
  return 'onlyIfChanged' in scheduler && scheduler.onlyIfChanged === true;
}

/** Default: the kind's word. */
export function nameOf({ name, kind }: CheckedScheduler): string {
  return name ?? kind;
}

export function schedulerShape(scheduler: CheckedScheduler, project: CheckedProject): SchedulerShape {
  const { builders: wanted, properties = {}, priority = 0 } = scheduler;
  const base = {
    name: nameOf(scheduler),
    builders: project.builders.map(({ name }) => name).filter((name) => !wanted || wanted.includes(name)),
    properties,
    priority,
    ...schedulerRequestsShape(scheduler),
  };
  if (scheduler.kind === 'force') {
    const { parameters, reason } = scheduler;
    return {
      ...base,
      kind: 'force',
      ...(parameters && { parameters: parameterShapes(parameters) }),
      ...(reason === 'required' && { isReasonRequired: true as const }),
    };
  }
  if (scheduler.kind === 'try') return { ...base, kind: 'try' };
  const acting = { ...base, ...(scheduler.reason !== undefined && { reason: scheduler.reason }) };
  switch (scheduler.kind) {
    case 'onChange':
    case 'anyBranch': {
      const { quiet, quietAtMost, onlyImportant = false } = scheduler;
      return {
        ...acting,
        kind: scheduler.kind,
        filter: changeFilterShape(scheduler),
        ...(quiet !== undefined && { quietMs: parseDuration(quiet) }),
        ...(quietAtMost !== undefined && { quietAtMostMs: parseDuration(quietAtMost) }),
        onlyImportant,
      };
    }
    case 'periodic':
      return {
        ...acting,
        kind: 'periodic',
        ...timedShape(scheduler, project),
        everyMs: parseDuration(scheduler.every),
      };
    case 'nightly': {
      const { at, forceAt, zone = DEFAULT_ZONE } = scheduler;
      return {
        ...acting,
        kind: 'nightly',
        ...timedShape(scheduler, project),
        at,
        ...(forceAt !== undefined && { forceAt }),
        zone,
      };
    }
    case 'after':
      return { ...acting, kind: 'after', upstream: upstreamOf(scheduler.upstream, project.name) };
    default:
      return { ...acting, kind: scheduler.kind };
  }
}

type CheckedTimer = Extract<CheckedScheduler, { readonly onlyIfChanged?: unknown }>;

function timedShape(scheduler: CheckedTimer, { source }: CheckedProject) {
  const { onlyIfChanged = false, onlyImportant = false, late = 'once', branch = source?.branch } = scheduler;
  return {
    filter: changeFilterShape({ ...scheduler, branch }),
    ...(branch !== undefined && { branch }),
    onlyIfChanged,
    onlyImportant,
    late,
  } as const;
}

/** `NAME` is of the same project. */
export function upstreamOf(text: string, project: string): { readonly project: string; readonly scheduler: string } {
  const [first = '', second] = text.split('/');
  return second === undefined ? { project, scheduler: first } : { project: first, scheduler: second };
}
