import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { MARK, SHARED } from './thread-messages.ts';

/**
 * Keeps in shared memory whose code the thread is in, so that the master can name a step that does not yield. A step's run
 * is carried through its promises, timers and callbacks by `AsyncLocalStorage`; the hook marks it at each entry of a
 * callback or continuation. The mark is not taken back at the exit: a function that goes from promise to promise without
 * end is outside of its code for moments, too. The next answer to the master's ping takes it back.
 */
export class CodeMarks {
  readonly #cells: Int32Array;
  readonly #context = new AsyncLocalStorage<number>();

  constructor(cells: Int32Array) {
    this.#cells = cells;
    createHook({ before: () => this.#mark(this.#context.getStore() ?? MARK.none) }).enable();
  }

  /** Whose code asks. */
  current(): number {
    return this.#context.getStore() ?? Atomics.load(this.#cells, SHARED.mark);
  }

  /** Runs `fn`, and all that comes of it later, under the mark. */
  enter<T>(mark: number, fn: () => T): T {
    this.#mark(mark);
    return this.#context.run(mark, fn);
  }

  /** The thread came back to its event loop. */
  pong(): void {
    this.#mark(MARK.none);
    Atomics.add(this.#cells, SHARED.pongs, 1);
  }

  #mark(mark: number): void {
    Atomics.store(this.#cells, SHARED.mark, mark);
  }
}
