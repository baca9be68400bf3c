import { changeFilterShape } from './change-filter-schema.ts';
import type { CheckedProject } from './config-schema.ts';
import { schedulerRequestsShape } from './request-shapes.ts';
import type { SchedulerShape } from './scheduler-shape.ts';
import { parameterShapes } from './parameters/schema.ts';
import type { CheckedScheduler } from './scheduler-schema.ts';

/** What is wrong with the schedulers of a project beside the rest of it, each with its place. */
export function schedulerMistakes(project: CheckedProject): readonly string[] {
  const { schedulers = [], builders, source } = project;
  const mistakes: string[] = [];
  const seen = new Set<string>();
  for (const scheduler of schedulers) {
    const name = nameOf(scheduler);
    const place = `project "${project.name}", scheduler "${name}"`;
    const folded = name.toLowerCase();
    if (seen.has(folded)) {
      mistakes.push(`project "${project.name}": scheduler "${name}" is there twice; give one of them another name`);
    }
    seen.add(folded);
    for (const builder of scheduler.builders ?? []) {
      if (builders.some((one) => one.name === builder)) continue;
      mistakes.push(`${place}: the project has no builder "${builder}"; correct the name, or add it to its builders`);
    }
    if (!source && scheduler.kind === 'onChange') {
      mistakes.push(`${place}: it waits for changes, and the project has no source; give it git(url), or remove it`);
    }
  }
  return mistakes;
}

/** Default: the kind's word. */
function nameOf({ name, kind }: CheckedScheduler): string {
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
  if (scheduler.kind === 'onChange') {
    return { ...acting, kind: 'onChange', filter: changeFilterShape(scheduler) };
  }
  return { ...acting, kind: scheduler.kind };
}
