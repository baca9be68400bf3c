import type { Hold } from './queue-state.ts';

/**
 * Requests that are not for some worker for a while. In memory: a master that was restarted asks again, at once.
 */
export class Vetoes {
  readonly #vetoes = new Map<string, Required<Hold>>();

  add(requestId: number, worker: string, text: string, untilMs: number): void {
    this.#vetoes.set(`${requestId} ${worker}`, { text, untilMs });
  }

  /** Those that hold now, as `QueueState` wants them. */
  current(nowMs: number): ReadonlyMap<string, Hold> {
    for (const [key, { untilMs }] of this.#vetoes) if (untilMs <= nowMs) this.#vetoes.delete(key);
    return this.#vetoes;
  }
}
