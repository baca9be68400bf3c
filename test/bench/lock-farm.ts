import type { BuilderShape, ConfigShape } from '../../src/config/shape.ts';
import type { QueueState } from '../../src/master/queue/queue-state.ts';
import type { BuildRequest } from '../../src/model/build-request.ts';
import type { LockAccess, LockShape } from '../../src/model/lock.ts';
import { TROUBLE_RULES } from '../../src/model/trouble.ts';
import { seeded } from '../support/seed.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 30);
const PROJECTS = 10;
const WORKERS = 50;
const MAX_BUILDS = 8;

/** 200 builders on 50 workers, ten on each, whose locks are those that `accessesOf` names. */
export function lockFarm(
  locks: readonly LockShape[],
  accessesOf: (builder: number, chance: () => number) => readonly LockAccess[],
): ConfigShape {
  const chance = seeded(1);
  const workers = Array.from({ length: WORKERS }, (_, at) => ({
    name: `w${at}`,
    maxBuilds: MAX_BUILDS,
    host: `h${at % 10}`,
  }));
  const builders = Array.from({ length: 20 * PROJECTS }, (_, at): BuilderShape => ({
    name: `b${at}`,
    workers: Array.from({ length: 10 }, (_, n) => `w${(at * 7 + n * 3) % WORKERS}`),
    env: {},
    whenWorkerLost: 'wait',
    locks: accessesOf(at, chance),
    steps: [],
    takesPatches: false,
  }));
  return {
    hash: 'h',
    title: 't',
    heartbeatMs: 15_000,
    troubles: TROUBLE_RULES,
    reporters: [],
    hosts: [],
    locks,
    workers,
    projects: Array.from({ length: PROJECTS }, (_, at) => ({
      name: `p${at}`,
      builders: builders.filter((_, n) => n % PROJECTS === at),
      schedulers: [],
    })),
  };
}

export function lockFarmState(config: ConfigShape, requests: readonly BuildRequest[], running = 0): QueueState {
  const here = { isConnected: true, sinceMs: NOW, running };
  return {
    requests,
    workers: new Map(config.workers.map(({ name }) => [name, here])),
    lastUsed: new Map(),
    holds: new Map(),
    vetoes: new Map(),
    builds: new Map(),
    claims: [],
    waits: [],
    formerLocks: new Map(),
    config,
    nowMs: NOW,
  };
}

/** So many requests of the farm's builders, in the order in which a store reads them: by id, with a few priorities. */
export function requestsOf(config: ConfigShape, count: number): readonly BuildRequest[] {
  const chance = seeded(count);
  const targets = config.projects.flatMap(({ name, builders }) =>
    builders.map((builder) => [name, builder.name] as const),
  );
  return Array.from({ length: count }, (_, at): BuildRequest => {
    const [project = '', builder = ''] = targets[Math.floor(chance() * targets.length)] ?? [];
    const submittedAtMs = NOW - (count - at) * 1_000;
    return {
      id: at + 1,
      buildSetId: at + 1,
      project,
      builder,
      priority: chance() < 0.1 ? 1 : 0,
      reason: '',
      owner: 'anna',
      source: {},
      properties: {},
      submittedAtMs,
      rankAtMs: submittedAtMs,
    };
  });
}
