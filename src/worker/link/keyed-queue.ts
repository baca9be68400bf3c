/** Runs tasks of one key one after the other, in the order they came; keys do not wait for each other. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();
  readonly #onFailure: (key: string, error: unknown) => void;
  #waiting = 0;

  constructor(onFailure: (key: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Tasks that have not ended. */
  get size(): number {
    return this.#waiting;
  }

  /** Runs `task` after what was there for `key` and for `after`. Resolves when it has ended, also when it failed. */
  push(key: string, task: () => Promise<void>, after?: string): Promise<void> {
    const before = [key, after ?? key].map((name) => this.#tails.get(name) ?? Promise.resolve());
    this.#waiting++;
    const tail = Promise.all(before)
      .then(task)
      .catch((error: unknown) => this.#onFailure(key, error))
      .finally(() => {
        this.#waiting--;
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    this.#tails.set(key, tail);
    return tail;
  }

  /** Resolves when all that was pushed so far has ended. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}
