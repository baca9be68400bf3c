import type { BuilderShape, ConfigShape } from '../../../../src/config/shape.ts';
import type { QueueState, QueueWorker } from '../../../../src/master/queue/queue-state.ts';
import type { BuildRequest } from '../../../../src/model/build-request.ts';
import { TROUBLE_RULES } from '../../../../src/model/trouble.ts';

export const NOW = Date.UTC(2026, 10, 21, 12, 30);

export function builderShape(
  name: string,
  workers: readonly string[],
  locks: BuilderShape['locks'] = [],
): BuilderShape {
  return { name, workers, env: {}, whenWorkerLost: 'wait', locks, steps: [], takesPatches: false };
}

/** Workers by their maximum, and the builders of project `p`. */
export function configShape(
  workers: Readonly<Record<string, number>>,
  builders: readonly BuilderShape[],
  over: Partial<ConfigShape> = {},
): ConfigShape {
  return {
    hash: 'h',
    title: 't',
    heartbeatMs: 15_000,
    troubles: TROUBLE_RULES,
    reporters: [],
    locks: [],
    hosts: [],
    workers: Object.entries(workers).map(([name, maxBuilds]) => ({ name, maxBuilds })),
    projects: [{ name: 'p', builders, schedulers: [] }],
    ...over,
  };
}

export function request(id: number, builder: string, priority = 0, submittedAtMs = NOW - 1_000): BuildRequest {
  return {
    id,
    buildSetId: id,
    project: 'p',
    builder,
    priority,
    reason: '',
    owner: 'anna',
    source: {},
    properties: {},
    submittedAtMs,
    rankAtMs: submittedAtMs,
  };
}

export function queueState(over: Partial<QueueState> & Pick<QueueState, 'config'>): QueueState {
  return {
    requests: [],
    workers: new Map(),
    lastUsed: new Map(),
    holds: new Map(),
    vetoes: new Map(),
    builds: new Map(),
    claims: [],
    waits: [],
    formerLocks: new Map(),
    nowMs: NOW,
    ...over,
  };
}

/** A worker that is connected. */
export function here(running = 0): QueueWorker {
  return { isConnected: true, sinceMs: NOW - 60_000, running };
}
