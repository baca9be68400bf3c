import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { errorCode } from '../../src/base/errors.ts';

/** Where a process is to kill itself: around the n-th of its points, counted from when it first saw this order. */
export interface KillOrder {
  /** Another one for each order. */
  readonly id: number;
  readonly n: number;
  readonly phase: 'before' | 'after';
}

/**
 * For the entry files of tests alone: a process asks it around each of its points, commits or durable writes, and dies there
 * as by `kill -9` when a file says so. The file is gone when it struck; beside it the points are counted.
 */
export class KillSwitch {
  readonly #file: string;
  #id = 0;
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The number of the point that begins, for `after`. */
  before(): number {
    const order = readOrder(this.#file);
    if (!order) return 0;
    if (order.id !== this.#id) this.#count = 0;
    this.#id = order.id;
    this.#count += 1;
    writeFileSync(countFile(this.#file), String(this.#count));
    this.#strike(order, this.#count, 'before');
    return this.#count;
  }

  after(n: number): void {
    const order = readOrder(this.#file);
    if (order?.id === this.#id) this.#strike(order, n, 'after');
  }

  #strike(order: KillOrder, n: number, phase: KillOrder['phase']): void {
    if (order.n !== n || order.phase !== phase) return;
    rmSync(this.#file, { force: true });
    process.kill(process.pid, 'SIGKILL');
  }
}

export function countFile(file: string): string {
  return `${file}.count`;
}

function readOrder(file: string): KillOrder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as KillOrder;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
