import type { BuilderShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import { clockTime } from './clock-time.ts';
import { HostsLoad } from './hosts-load.ts';
import { joinNamed } from './join-named.ts';
import type { Hold, QueueState } from './queue-state.ts';
import { Spacing } from './spacing.ts';

/** The workers during one walk along the queue, with what the walk has given them so far. */
export class Farm {
  readonly #state: QueueState;
  readonly #maxBuilds: ReadonlyMap<string, number>;
  readonly #load = new Map<string, number>();
  readonly #hosts: HostsLoad;
  readonly #spacing: Spacing;

  constructor(state: QueueState) {
    this.#state = state;
    this.#maxBuilds = new Map(state.config.workers.map((worker) => [worker.name, worker.maxBuilds]));
    const starts = new Map<string, number>();
    for (const [name, { running, startedAtMs }] of state.workers) {
      this.#load.set(name, running);
      if (startedAtMs !== undefined) starts.set(name, startedAtMs);
    }
    this.#hosts = new HostsLoad(state.config, (name) => this.#running(name));
    this.#spacing = new Spacing(state.config, starts, state.nowMs);
  }

  /** Whether a worker takes one more build; once it does not, it never does in this walk. */
  hasRoom(name: string): boolean {
    return this.#mayHave(name) && this.#fill(name) < 1 && this.#hosts.hasRoom(name) && this.#spacing.isFree(name);
  }

  /** Whether that request may go to that worker now, as far as it is not a matter of room. */
  isFor(request: BuildRequest, name: string): boolean {
    if (request.worker !== undefined && request.worker !== name) return false;
    return this.#state.vetoes.size === 0 || !this.#vetoOf(request, name);
  }

  /** The least loaded of the names; of equals the one used last, then the first by name. */
  best(names: readonly string[], lastUsed: string | undefined): string | undefined {
    let best: string | undefined;
    for (const name of names) if (best === undefined || this.#isBetter(name, best, lastUsed)) best = name;
    return best;
  }

  give(name: string): void {
    this.#load.set(name, this.#running(name) + 1);
    this.#hosts.give(name);
    this.#spacing.start(name);
  }

  /** Why none of the builder's workers takes that request. */
  whyNone(builder: BuilderShape, request: BuildRequest): string {
    const names = builder.workers.filter((name) => request.worker === undefined || request.worker === name);
    if (request.worker !== undefined && names.length === 0)
      return `it is for ${request.worker} alone, which is no worker of ${builder.name} any more`;
    if (names.length === 0) return `builder ${builder.name} has no worker in the configuration`;
    const away: string[] = [];
    const held: string[] = [];
    const full: string[] = [];
    for (const name of names) {
      const worker = this.#state.workers.get(name);
      const max = this.#maxBuilds.get(name);
      const veto = this.#vetoOf(request, name);
      if (max === undefined) away.push(`${name} is gone from the configuration`);
      else if (worker?.held !== undefined) held.push(`${name} ${worker.held}`);
      else if (worker?.isConnected && veto) held.push(`${name}: ${veto.text}`);
      else if (worker?.isConnected) full.push(this.#whyFull(name, max));
      else if (worker?.sinceMs === undefined) away.push(`${name} has never connected`);
      else away.push(`${name} is away since ${clockTime(worker.sinceMs, this.#state.nowMs)}`);
    }
    const others = held.length + away.length > 0 ? `; ${joinNamed([...held, ...away])}` : '';
    if (full.length === 0 && held.length > 0)
      return `no worker of ${builder.name} takes builds${others.replace(';', ':')}`;
    if (full.length === 0) return `no worker of ${builder.name} is connected: ${joinNamed(away)}`;
    return `all connected workers of ${builder.name} are at their maximum: ${joinNamed([...new Set(full)])}${others}`;
  }

  #vetoOf({ id, project, builder }: BuildRequest, name: string): Hold | undefined {
    const { vetoes } = this.#state;
    return vetoes.get(`${id} ${name}`) ?? vetoes.get(`${project}/${builder} ${name}`);
  }

  #whyFull(name: string, max: number): string {
    if (this.#fill(name) >= 1) return `${name} runs ${this.#running(name)} of ${max}`;
    return this.#hosts.why(name) ?? this.#spacing.why(name) ?? `${name} runs ${this.#running(name)} of ${max}`;
  }

  #mayHave(name: string): boolean {
    const worker = this.#state.workers.get(name);
    if (!worker?.isConnected || worker.held !== undefined) return false;
    return this.#running(name) - worker.running < (worker.buildsLeft ?? Infinity);
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
