import type { ConfigShape } from '../../config/shape.ts';

interface Host {
  readonly name: string;
  readonly maxBuilds: number;
  running: number;
}

/** How many builds run on the hosts that have a maximum, all their workers together. */
export class HostsLoad {
  /** By worker. */
  readonly #hosts = new Map<string, Host>();

  constructor({ workers, hosts }: ConfigShape, runningOn: (worker: string) => number) {
    const limited = new Map<string, Host>();
    for (const { name, maxBuilds } of hosts)
      if (maxBuilds !== undefined) limited.set(name, { name, maxBuilds, running: 0 });
    for (const { name, host: of } of workers) {
      const host = of === undefined ? undefined : limited.get(of);
      if (!host) continue;
      host.running += runningOn(name);
      this.#hosts.set(name, host);
    }
  }

  hasRoom(worker: string): boolean {
    const host = this.#hosts.get(worker);
    return !host || host.running < host.maxBuilds;
  }

  give(worker: string): void {
    const host = this.#hosts.get(worker);
    if (host) host.running += 1;
  }

  /** Why its host takes no more, for people; undefined when it does. */
  why(worker: string): string | undefined {
    const host = this.#hosts.get(worker);
    return host && !this.hasRoom(worker) ? `host ${host.name} runs ${host.running} of ${host.maxBuilds}` : undefined;
  }
}
