import type { Cancel } from './clock.ts';

/** Many listeners, one event. A listener that throws does not keep the others from hearing; its error is thrown last. */
export class Signal<T = void> {
  readonly #listeners = new Set<(value: T) => void>();

  on(listener: (value: T) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(value: T): void {
    const failures: unknown[] = [];
    for (const listener of Array.from(this.#listeners)) {
      try {
        listener(value);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'a listener failed');
  }

  get size(): number {
    return this.#listeners.size;
  }
}
