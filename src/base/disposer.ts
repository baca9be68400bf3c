type Undo = () => void | Promise<void>;

/**
 * Whatever starts pushes its own undo; `dispose` runs them newest first, each once, and goes on past one that fails.
 * Rejects with an AggregateError of what failed, after all have run.
 */
export class Disposer {
  #undos: Undo[] = [];
  #disposing: Promise<void> | undefined;

  get isDisposed(): boolean {
    return this.#disposing !== undefined;
  }

  /** Adds an undo; runs it at once when all is disposed already, so that nothing started late is left behind. */
  add(undo: Undo): void {
    if (this.#disposing) {
      this.#disposing = this.#disposing.then(undo);
      return;
    }
    this.#undos.push(undo);
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#run();
    return this.#disposing;
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    const undos = this.#undos.reverse();
    this.#undos = [];
    for (const undo of undos) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'could not put everything away');
  }
}
