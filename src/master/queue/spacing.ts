import type { ConfigShape } from '../../config/shape.ts';
import { showDuration } from '../../config/duration.ts';
import { clockSeconds } from './clock-time.ts';

interface Spaced {
  readonly name: string;
  readonly spacingMs: number;
  freeAtMs: number;
}

/** Starts of builds that keep their distance: on a worker, and on all workers of a host together. */
export class Spacing {
  readonly #nowMs: number;
  /** By worker: itself and its host, where these are spaced. */
  readonly #places = new Map<string, readonly Spaced[]>();

  /** `starts`: when a build began last on each worker. One that lies ahead (the clock was put back) holds up nobody. */
  constructor({ workers, hosts }: ConfigShape, starts: ReadonlyMap<string, number>, nowMs: number) {
    this.#nowMs = nowMs;
    const ofHosts = new Map(hosts.map(({ name, startSpacingMs }) => [name, spaced(name, startSpacingMs)]));
    for (const { name, host, startSpacingMs } of workers) {
      const places = [spaced(name, startSpacingMs), host === undefined ? undefined : ofHosts.get(host)];
      const own = places.filter((place) => place !== undefined);
      if (own.length === 0) continue;
      this.#places.set(name, own);
      const startedAtMs = starts.get(name);
      if (startedAtMs !== undefined && startedAtMs <= nowMs) begin(own, startedAtMs);
    }
  }

  isFree(worker: string): boolean {
    return this.#places.size === 0 || this.#blocking(worker) === undefined;
  }

  /** Why no build may start there now, for people; undefined when one may. */
  why(worker: string): string | undefined {
    const place = this.#blocking(worker);
    return (
      place &&
      `${place.name} starts one build per ${showDuration(place.spacingMs)}, next at ${clockSeconds(place.freeAtMs)}`
    );
  }

  /** A build starts there. */
  start(worker: string): void {
    begin(this.#places.get(worker) ?? [], this.#nowMs);
  }

  /** When the next place is free again; Infinity: all are. */
  nextMs(): number {
    const places = [...this.#places.values()].flat();
    return Math.min(...places.map(({ freeAtMs }) => freeAtMs).filter((ms) => ms > this.#nowMs));
  }

  #blocking(worker: string): Spaced | undefined {
    const places = this.#places.get(worker) ?? [];
    return places.find(({ freeAtMs }) => freeAtMs > this.#nowMs);
  }
}

function spaced(name: string, spacingMs: number | undefined): Spaced | undefined {
  return spacingMs === undefined ? undefined : { name, spacingMs, freeAtMs: 0 };
}

function begin(places: readonly Spaced[], atMs: number): void {
  for (const place of places) place.freeAtMs = Math.max(place.freeAtMs, atMs + place.spacingMs);
}
