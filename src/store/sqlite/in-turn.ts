/**
 * Keeps the order of calls by key over a preparation that takes its time: preparations run side by side, what follows them is
 * begun in the order of the calls, without waiting for its end.
 */
export class InTurn {
  readonly #last = new Map<number, Promise<void>>();

  take<T>(key: number, prepared: Promise<unknown>, begin: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    // The one before may fail to be prepared: that is told to its own caller.
    const mine = Promise.allSettled([before, prepared]).then(async () => {
      await prepared;
      return { begun: begin() };
    });
    const turn = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, turn);
    void turn.then(() => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    });
    return mine.then(({ begun }) => begun);
  }
}
