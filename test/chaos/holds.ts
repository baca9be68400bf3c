import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildView } from '../../src/master/views/build.ts';
import type { KeyRotation } from '../../src/master/views/worker.ts';
import { NOT_ANSWERED } from './counter.ts';
import type { Counter } from './counter.ts';
import type { Violations } from './violations.ts';

const LOOK_MS = 300;

/** What operators do to workers while all else goes on, and whether builds keep to it. */
export class Holds {
  readonly #counter: Counter;
  readonly #violations: Violations;
  /** Times of the wall clock, in ms, between which a worker was to be given nothing. */
  readonly #held = new Map<string, { readonly fromMs: number; readonly toMs: number }[]>();
  readonly rotations = new Map<string, number>();

  constructor(counter: Counter, violations: Violations) {
    this.#counter = counter;
    this.#violations = violations;
  }

  /** Gives the worker no builds for so long. */
  async hold(worker: string, verb: 'pause' | 'drain', forMs: number): Promise<void> {
    await this.#say('worker', verb, worker, '--reason', 'chaos');
    const fromMs = Date.now();
    await sleep(forMs);
    const toMs = Date.now();
    this.#held.set(worker, [...(this.#held.get(worker) ?? []), { fromMs, toMs }]);
    await this.#say('worker', 'resume', worker);
  }

  /** Whether it comes to it depends on what else is hurt; that the worker still gets in afterwards does not. */
  async rotate(worker: string): Promise<void> {
    const { status, text, stderr } = await this.#counter.ask('worker', 'rotate', worker, '--json');
    if (NOT_ANSWERED.includes(status)) return;
    if (status !== 0 && status !== 69) return this.#violations.add(`worker rotate ended with ${status}: ${stderr}`);
    const [{ outcome }] = JSON.parse(text) as [KeyRotation];
    this.rotations.set(outcome, (this.rotations.get(outcome) ?? 0) + 1);
  }

  judge({ id, worker, startedAtMs }: BuildView): void {
    const hold = this.#held.get(worker)?.find(({ fromMs, toMs }) => startedAtMs > fromMs && startedAtMs < toMs);
    if (hold) this.#violations.add(`build ${id} was given to ${worker} while that was held`);
  }

  /** Again and again until it is heard: each may be said twice. */
  async #say(...words: readonly string[]): Promise<void> {
    for (;;) {
      const { status, stderr } = await this.#counter.ask(...words);
      if (status === 0) return;
      if (!NOT_ANSWERED.includes(status))
        return this.#violations.add(`${words.join(' ')} ended with ${status}: ${stderr}`);
      await sleep(LOOK_MS);
    }
  }
}
