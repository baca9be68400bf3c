import type { Hold } from './queue-state.ts';

interface Veto extends Required<Hold> {
  /** A request, by its id, or all requests of `PROJECT/BUILDER`. */
  readonly of: number | string;
  readonly worker: string;
  /** Of the configuration whose function said so. */
  readonly configHash: string;
}

/**
 * Requests that are not for some worker for a while. In memory: a master that was restarted asks again, at once, and so does one
 * that was given another configuration.
 */
export class Vetoes {
  readonly #vetoes = new Map<string, Veto>();

  add(veto: Veto): void {
    this.#vetoes.set(`${veto.of} ${veto.worker}`, veto);
  }

  /** Those that hold now, as `QueueState` wants them. */
  current(nowMs: number, activeHash: string): ReadonlyMap<string, Hold> {
    for (const [key, { untilMs, configHash }] of this.#vetoes)
      if (untilMs <= nowMs || configHash !== activeHash) this.#vetoes.delete(key);
    return this.#vetoes;
  }
}
