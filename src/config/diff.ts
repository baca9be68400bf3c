import { isDeepStrictEqual } from 'node:util';
import type { LockShape } from '../model/lock.ts';
import type { WhenWorkerLost } from '../model/lost-worker.ts';
import { showDuration } from './duration.ts';
import type { SchedulerShape } from './scheduler-shape.ts';
import type {
  BuilderFunctions,
  BuilderShape,
  ConfigShape,
  HostShape,
  ProjectShape,
  ReporterShape,
  SecretShape,
  StepShape,
  WorkerShape,
} from './shape.ts';

/** What a reload changes, a line each, for people; empty when it is the same configuration. */
export function diffShapes(before: ConfigShape, after: ConfigShape): string[] {
  if (before.hash === after.hash) return [];
  const lines = [
    ...(before.title === after.title ? [] : [`title changed to ${JSON.stringify(after.title)}`]),
    ...(before.heartbeatMs === after.heartbeatMs
      ? []
      : [`heartbeat changed from ${showDuration(before.heartbeatMs)} to ${showDuration(after.heartbeatMs)}`]),
    ...changed(before, after, ['troubles', 'keep', 'properties']),
    ...diffLists(before.reporters, after.reporters, 'reporter', diffAll),
    ...diffLists(before.hosts, after.hosts, 'host', diffHosts),
    ...diffLists(before.workers, after.workers, 'worker', diffWorkers),
    ...diffLists(before.locks, after.locks, 'lock', diffLocks),
    ...diffLists(before.secrets ?? [], after.secrets ?? [], 'secret', diffAll),
    ...diffLists(before.projects, after.projects, 'project', diffProjects),
  ];
  // What code of its own does is not seen in a shape; nor is a helper function that a step calls.
  return lines.length > 0 ? lines : ['the code changed; workers, projects, builders and steps are the same'];
}

interface Named {
  readonly name: string;
}

function diffLists<T extends Named>(
  before: readonly T[],
  after: readonly T[],
  noun: string,
  diff: (before: T, after: T) => readonly string[],
): string[] {
  const lines: string[] = [];
  const old = new Map(before.map((item) => [item.name, item]));
  const kept = new Set(after.map(({ name }) => name));
  for (const { name } of before) if (!kept.has(name)) lines.push(`${noun} ${name} removed`);
  for (const item of after) {
    const was = old.get(item.name);
    if (!was) lines.push(`${noun} ${item.name} added`);
    else lines.push(...diff(was, item).map((line) => `${noun} ${item.name}: ${line}`));
  }
  return lines;
}

/** All keys of either. */
function diffAll<T extends ReporterShape | SchedulerShape | SecretShape>(before: T, after: T): string[] {
  const was: Readonly<Record<string, unknown>> = { ...before };
  const is: Readonly<Record<string, unknown>> = { ...after };
  return changed(was, is, Object.keys({ ...was, ...is }));
}

function diffWorkers(before: WorkerShape, after: WorkerShape): string[] {
  return changed(before, after, [
    'maxBuilds',
    'labels',
    'startSpacingMs',
    'host',
    'owner',
    'missingAfterMs',
    'properties',
  ]);
}

function diffHosts(before: HostShape, after: HostShape): string[] {
  return changed(before, after, ['maxBuilds', 'startSpacingMs']);
}

function diffLocks(before: LockShape, after: LockShape): string[] {
  return changed(before, after, ['scope', 'slots', 'slotsFor']);
}

function diffProjects(before: ProjectShape, after: ProjectShape): string[] {
  return [
    ...changed(before, after, ['description', 'source', 'hook', 'forks', 'trustedAuthors', 'access']),
    ...changed(before, after, ['cancelsRest', 'dependsOn', 'whenUpstreamFails', 'keep']),
    ...diffLists(before.builders, after.builders, 'builder', diffBuilders),
    ...diffLists(before.schedulers, after.schedulers, 'scheduler', diffAll),
  ];
}

function diffBuilders(before: BuilderShape, after: BuilderShape): string[] {
  const lines = [
    ...changed(before, after, ['description', 'tags', 'workers', 'env', 'secrets', 'properties', 'logLimit', 'locks']),
    ...changed(before, after, ['collapse', 'cancelSuperseded', 'retry', 'queueForMs']),
    ...(isDeepStrictEqual(before.whenWorkerLost, after.whenWorkerLost)
      ? []
      : [`whenWorkerLost changed from ${showRule(before.whenWorkerLost)} to ${showRule(after.whenWorkerLost)}`]),
    ...diffFunctions(before.functions, after.functions),
    ...diffLists(before.steps, after.steps, 'step', diffSteps),
  ];
  const stayed = (steps: readonly StepShape[], others: readonly StepShape[]): string[] =>
    steps.map(({ name }) => name).filter((name) => others.some((other) => other.name === name));
  const isMoved = !isDeepStrictEqual(stayed(before.steps, after.steps), stayed(after.steps, before.steps));
  return isMoved ? [...lines, 'the order of its steps changed'] : lines;
}

/** Their code is nothing to be shown. */
function diffFunctions(before: BuilderFunctions = {}, after: BuilderFunctions = {}): string[] {
  return (['buildIf', 'env', 'locks', 'nextWorker', 'nextBuild', 'canStartBuild'] as const)
    .filter((name) => !isDeepStrictEqual(before[name], after[name]))
    .map(
      (name) => `${name} ${before[name] === undefined ? 'added' : after[name] === undefined ? 'removed' : 'changed'}`,
    );
}

function showRule(rule: WhenWorkerLost): string {
  return rule === 'wait' ? rule : `retry after ${showDuration(rule.retryAfterMs)}`;
}

function diffSteps(before: StepShape, after: StepShape): string[] {
  const lines = changed(before, after, ['rules', 'locks']);
  return before.fingerprint === after.fingerprint ? lines : [...lines, 'changed'];
}

const WORDS: Readonly<Record<string, string>> = {
  missingAfterMs: 'missingAfter (ms)',
  startSpacingMs: 'startSpacing (ms)',
  queueForMs: 'queueFor (ms)',
  cancelsRest: 'cancelRestOnFailure',
};

function changed<T>(before: T, after: T, keys: readonly (keyof T & string)[]): string[] {
  return keys
    .filter((key) => !isDeepStrictEqual(before[key], after[key]))
    .map((key) =>
      // Values of an environment may be nobody's business, some URLs are as good as a password, and a description is long.
      key === 'env' || key === 'url' || key === 'description'
        ? `${key} changed`
        : `${WORDS[key] ?? key} changed from ${show(before[key])} to ${show(after[key])}`,
    );
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value) ?? typeof value;
}
