import { createHash } from 'node:crypto';
import { seeded } from '../support/seed.ts';

/** Chance that comes again with its seed: one stream for each purpose, so that one does not shift another. */
export class Random {
  /** From 0 to below 1. */
  readonly next: () => number;

  constructor(seed: number, purpose: string) {
    this.next = seeded(createHash('sha256').update(`${seed} ${purpose}`).digest().readUInt32LE(0));
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.next() * from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** The same items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.next() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }
}
