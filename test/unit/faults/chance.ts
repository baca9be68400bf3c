import { seeded } from '../../support/seed.ts';

/** What is drawn from one seed. */
export class Chance {
  /** From 0 to below 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  happens(share: number): boolean {
    return this.next() < share;
  }

  draw<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }
}
