import type { BuilderRules, Origin, RequestRule, SchedulerRules, Superseding } from '../model/request-rules.ts';
import { RETRY_RULES } from '../model/retry.ts';
import type { RetryRules } from '../model/retry.ts';
import type { CheckedBuilder, CheckedProject } from './config-schema.ts';
import { parseDuration } from './duration.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { CheckedScheduler } from './scheduler-schema.ts';
import type { SchedulerShape } from './scheduler-shape.ts';
import type { BuilderShape, ConfigShape, ProjectShape } from './shape.ts';

/** What a builder, or its project for it, says of its requests. */
export function builderRequestsShape(
  { collapse, cancelSuperseded, retry, queueFor }: CheckedBuilder,
  project: Pick<CheckedProject, 'cancelSuperseded'>,
): Pick<BuilderShape, 'collapse' | 'cancelSuperseded' | 'retry' | 'queueForMs'> {
  const supersedes = superseding(cancelSuperseded ?? project.cancelSuperseded);
  return {
    ...(collapse === true && { collapse: 'same' }),
    ...(typeof collapse === 'function' && { collapse: { function: fingerprintOf(collapse) } }),
    ...(supersedes !== 'never' && { cancelSuperseded: supersedes }),
    ...(retry && { retry: retryRules(retry) }),
    ...(queueFor !== undefined && { queueForMs: parseDuration(queueFor) }),
  };
}

export function projectRequestsShape({
  cancelRestOnFailure = false,
  dependsOn = [],
  whenUpstreamFails = 'build',
}: CheckedProject): Pick<ProjectShape, 'cancelsRest' | 'dependsOn' | 'whenUpstreamFails'> {
  return {
    ...(cancelRestOnFailure && { cancelsRest: true }),
    ...(dependsOn.length > 0 && { dependsOn: [...new Set(dependsOn)], whenUpstreamFails }),
  };
}

export function schedulerRequestsShape(
  scheduler: CheckedScheduler,
): Pick<SchedulerShape, 'cancelsRest' | 'queueForMs'> {
  const cancelsRest = 'cancelRestOnFailure' in scheduler ? scheduler.cancelRestOnFailure : undefined;
  const queueFor = 'queueFor' in scheduler ? scheduler.queueFor : undefined;
  return {
    ...(cancelsRest !== undefined && { cancelsRest }),
    ...(queueFor !== undefined && { queueForMs: parseDuration(queueFor) }),
  };
}

const ORIGINS: Readonly<Record<SchedulerShape['kind'], Origin>> = {
  force: 'person',
  try: 'person',
  onChange: 'change',
  triggerable: 'build',
  anyBranch: 'change',
  periodic: 'time',
  nightly: 'time',
  after: 'time',
};

/** The rules of a configuration as they are kept with its activation; builders to which none apply have none. */
export function requestRules({ projects }: ConfigShape): readonly RequestRule[] {
  return projects.flatMap((project): readonly RequestRule[] => [
    ...project.builders.flatMap((builder): readonly RequestRule[] => {
      const rules = builderRules(builder, project);
      return rules ? [{ noun: 'builder', project: project.name, name: builder.name, rules }] : [];
    }),
    ...project.schedulers.map((scheduler): RequestRule => {
      const rules = schedulerRules(scheduler, project);
      return { noun: 'scheduler', project: project.name, name: scheduler.name, rules };
    }),
  ]);
}

function schedulerRules({ kind, cancelsRest, queueForMs }: SchedulerShape, project: ProjectShape): SchedulerRules {
  return {
    origin: ORIGINS[kind],
    ...(queueForMs !== undefined && { queueForMs }),
    cancelsRest: cancelsRest ?? project.cancelsRest ?? false,
  };
}

function builderRules(builder: BuilderShape, project: ProjectShape): BuilderRules | undefined {
  const { collapse, cancelSuperseded = 'never', queueForMs } = builder;
  const { dependsOn = [], whenUpstreamFails } = project;
  const collapses = collapse === 'same';
  if (!collapses && cancelSuperseded === 'never' && queueForMs === undefined && dependsOn.length === 0)
    return undefined;
  return {
    collapses,
    supersedes: cancelSuperseded,
    ...(queueForMs !== undefined && { queueForMs }),
    upstreams: dependsOn,
    needsUpstreams: whenUpstreamFails === 'skip',
  };
}

function superseding(given: CheckedBuilder['cancelSuperseded']): Superseding {
  if (given === undefined || given === false) return 'never';
  return given === true || !given.running ? 'waiting' : 'running';
}

function retryRules({ pause, ...counts }: NonNullable<CheckedBuilder['retry']>): RetryRules {
  return {
    lost: counts.lost ?? RETRY_RULES.lost,
    exception: counts.exception ?? RETRY_RULES.exception,
    failure: counts.failure ?? RETRY_RULES.failure,
    pauseMs: pause === undefined ? RETRY_RULES.pauseMs : parseDuration(pause),
  };
}
