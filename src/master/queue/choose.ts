import type { BuildRequest } from '../../model/build-request.ts';
import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import { clockTime } from './clock-time.ts';

/** A worker as the queue sees it. */
export interface QueueWorker {
  readonly isConnected: boolean;
  /** Since when it is connected, or not; absent = never seen. */
  readonly sinceMs?: number;
  /** Builds that sit there now, also while it is away. */
  readonly running: number;
  /** Why it is given no builds, for people; absent: it is given some. */
  readonly held?: string;
  /** So many may still be given; absent: any number. */
  readonly buildsLeft?: number;
}

/** All that the choice depends on. */
export interface QueueState {
  /** In any order. */
  readonly requests: readonly BuildRequest[];
  readonly workers: ReadonlyMap<string, QueueWorker>;
  /** `project/builder` → the worker of its newest build. */
  readonly lastUsed: ReadonlyMap<string, string>;
  readonly config: ConfigShape;
  readonly nowMs: number;
}

export interface Pair {
  readonly request: BuildRequest;
  readonly worker: string;
  readonly builder: BuilderShape;
}

export interface Choice {
  readonly pairs: readonly Pair[];
  /** Why each of the other requests waits, for a person; by request id. */
  readonly reasons: ReadonlyMap<number, string>;
}

/** One order for the whole farm: higher priority first, then the older one. */
export function queueOrder(a: BuildRequest, b: BuildRequest): number {
  return b.priority - a.priority || a.rankAtMs - b.rankAtMs || a.id - b.id;
}

/**
 * Walks the queue in its order and gives each request the least loaded of its workers that has room (of equals the one its
 * builder used last, then the first by name). A request that cannot start holds up nobody behind it.
 */
export function choose(state: QueueState): Choice {
  const builders = new Map<string, BuilderShape>();
  for (const project of state.config.projects) {
    for (const builder of project.builders) builders.set(`${project.name}/${builder.name}`, builder);
  }
  const farm = new Farm(state);
  const pairs: Pair[] = [];
  const reasons = new Map<number, string>();
  for (const request of state.requests.toSorted(queueOrder)) {
    const target = `${request.project}/${request.builder}`;
    const builder = builders.get(target);
    if (!builder) {
      reasons.set(request.id, `builder ${target} is gone from the configuration`);
      continue;
    }
    const worker = farm.take(builder, state.lastUsed.get(target));
    if (worker === undefined) reasons.set(request.id, farm.whyNone(builder));
    else pairs.push({ request, worker, builder });
  }
  return { pairs, reasons };
}

/** The workers during one walk, with what the walk has given them so far. */
class Farm {
  readonly #state: QueueState;
  readonly #maxBuilds: ReadonlyMap<string, number>;
  readonly #load = new Map<string, number>();

  constructor(state: QueueState) {
    this.#state = state;
    this.#maxBuilds = new Map(state.config.workers.map((worker) => [worker.name, worker.maxBuilds]));
    for (const [name, worker] of state.workers) this.#load.set(name, worker.running);
  }

  take(builder: BuilderShape, lastUsed: string | undefined): string | undefined {
    let best: string | undefined;
    for (const name of builder.workers) {
      if (!this.#mayHave(name) || this.#fill(name) >= 1) continue;
      if (best === undefined || this.#isBetter(name, best, lastUsed)) best = name;
    }
    if (best !== undefined) this.#load.set(best, this.#running(best) + 1);
    return best;
  }

  #mayHave(name: string): boolean {
    const worker = this.#state.workers.get(name);
    if (!worker?.isConnected || worker.held !== undefined) return false;
    return this.#running(name) - worker.running < (worker.buildsLeft ?? Infinity);
  }

  whyNone(builder: BuilderShape): string {
    if (builder.workers.length === 0) return `builder ${builder.name} has no worker in the configuration`;
    const away: string[] = [];
    const held: string[] = [];
    const full: string[] = [];
    for (const name of builder.workers) {
      const worker = this.#state.workers.get(name);
      const max = this.#maxBuilds.get(name);
      if (max === undefined) away.push(`${name} is gone from the configuration`);
      else if (worker?.held !== undefined) held.push(`${name} ${worker.held}`);
      else if (worker?.isConnected) full.push(`${name} runs ${this.#running(name)} of ${max}`);
      else if (worker?.sinceMs === undefined) away.push(`${name} has never connected`);
      else away.push(`${name} is away since ${clockTime(worker.sinceMs, this.#state.nowMs)}`);
    }
    const others = held.length + away.length > 0 ? `; ${join([...held, ...away])}` : '';
    if (full.length === 0 && held.length > 0)
      return `no worker of ${builder.name} takes builds${others.replace(';', ':')}`;
    if (full.length === 0) return `no worker of ${builder.name} is connected: ${join(away)}`;
    return `all connected workers of ${builder.name} are at their maximum: ${join(full)}${others}`;
  }

  #running(name: string): number {
    return this.#load.get(name) ?? 0;
  }

  /** From 0 (idle) to 1 (full): a machine for eight builds with four is less loaded than one for two with two. */
  #fill(name: string): number {
    const max = this.#maxBuilds.get(name) ?? 0;
    return max > 0 ? this.#running(name) / max : 1;
  }

  #isBetter(name: string, best: string, lastUsed: string | undefined): boolean {
    const difference = this.#fill(name) - this.#fill(best);
    if (difference !== 0) return difference < 0;
    if (name === lastUsed || best === lastUsed) return name === lastUsed && best !== lastUsed;
    return name < best;
  }
}

/** A reason stays a line, also for a builder of a hundred workers. */
const NAMED_AT_MOST = 5;

function join(parts: readonly string[]): string {
  const named = parts.slice(0, NAMED_AT_MOST).join(', ');
  return parts.length > NAMED_AT_MOST ? `${named} and ${parts.length - NAMED_AT_MOST} more` : named;
}
