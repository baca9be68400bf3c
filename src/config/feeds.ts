import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';

/**
 * Output on its way to the observers of one run in the thread: of each call one piece at a time, the next when the observer has
 * had it, so that a slow observer costs no more memory than that.
 */
export class Feeds {
  readonly #underWay = new Map<string, Deferred<boolean>>();
  #isOver = false;

  /** Resolves to true when it was taken, to false when the run is over. */
  async give(key: string, send: () => void): Promise<boolean> {
    if (this.#isOver) return false;
    const taken = deferred<boolean>();
    this.#underWay.set(key, taken);
    send();
    return await taken.promise;
  }

  taken(key: string): void {
    this.#underWay.get(key)?.resolve(true);
    this.#underWay.delete(key);
  }

  end(): void {
    this.#isOver = true;
    for (const taken of this.#underWay.values()) taken.resolve(false);
    this.#underWay.clear();
  }
}
