import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { MARK, SHARED } from './thread-messages.ts';

/**
 * Keeps in shared memory whose code the thread is in, so that the master can name a step that does not yield. A step's run
 * is carried through its promises, timers and callbacks by `AsyncLocalStorage`; the hook marks it at each entry of a
 * callback or continuation and takes the mark back at its exit.
 */
export class CodeMarks {
  readonly #cells: Int32Array;
  readonly #context = new AsyncLocalStorage<number>();
  /** Marks of the entries that the current one is nested in. */
  readonly #outer: number[] = [];

  constructor(cells: Int32Array) {
    this.#cells = cells;
    createHook({
      before: () => {
        this.#outer.push(this.#mark);
        this.#mark = this.#context.getStore() ?? MARK.none;
      },
      after: () => {
        this.#mark = this.#outer.pop() ?? MARK.none;
      },
    }).enable();
  }

  get #mark(): number {
    return Atomics.load(this.#cells, SHARED.mark);
  }

  set #mark(mark: number) {
    Atomics.store(this.#cells, SHARED.mark, mark);
  }

  /** Whose code asks. */
  current(): number {
    return this.#context.getStore() ?? this.#mark;
  }

  /** Runs `fn`, and all that comes of it later, under the mark. */
  enter<T>(mark: number, fn: () => T): T {
    const before = this.#mark;
    this.#mark = mark;
    try {
      return this.#context.run(mark, fn);
    } finally {
      this.#mark = before;
    }
  }

  /** The thread came back to its event loop: forgets entries whose exit was never told (an uncaught exception). */
  pong(): void {
    this.#outer.length = 0;
    Atomics.add(this.#cells, SHARED.pongs, 1);
  }
}
