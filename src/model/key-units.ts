import type { LockClaim, LockTake, LockUnits } from './lock.ts';
import { UnitTree } from './unit-tree.ts';

/** What somebody asks of a key. */
export interface Ask {
  readonly of: KeyUnits;
  readonly wish: LockUnits;
}

/** What is held and reserved of one key during one walk along the queue. */
export class KeyUnits {
  readonly key: string;
  readonly slots: number;
  readonly claims: readonly LockClaim[];
  /** All there is, which an exclusive one takes: more than the slots while claims exceed what they were lowered to. */
  readonly #whole: number;
  readonly #held = new UnitTree();
  /** What is held, and what is reserved for those ahead. */
  readonly #queued = new UnitTree();
  #reservers = 0;

  constructor(key: string, slots: number, claims: readonly LockClaim[], lineOf: (build: number) => readonly number[]) {
    this.key = key;
    this.slots = slots;
    this.claims = claims;
    const hold = ({ owner }: LockClaim, units: number): void => {
      const line = lineOf(owner.buildId);
      this.#held.add(units, line);
      this.#queued.add(units, line);
    };
    for (const claim of claims) if (claim.mode === 'counting') hold(claim, claim.units);
    this.#whole = Math.max(slots, this.#held.total);
    for (const claim of claims) if (claim.mode === 'exclusive') hold(claim, this.#whole);
  }

  /**
   * Whether a wish can be granted behind all that is held and reserved. Whoever waits for the asker lends what it holds; what
   * others have reserved does not hold up such a one, for they wait for its lender.
   */
  fits(wish: LockUnits, line: readonly number[]): boolean {
    const units = this.#units(wish);
    if (line.length === 0) return this.#queued.total + units <= this.slots;
    const { before, after } = this.#queued.family(line, units);
    if (!this.#held.isLent(line)) return this.#queued.total - before + after <= this.slots;
    const held = this.#held.family(line, 0).before;
    return after <= held || this.#held.total - held + after <= this.slots;
  }

  /** Nobody gets any of it any more in this walk, but those to whom it is lent; nor does a place more change anything. */
  get isSpent(): boolean {
    return this.#queued.total >= this.slots;
  }

  /** Units of those who hold: of a build and the ones that it waits for, whichever have more. */
  get used(): number {
    return this.#held.total;
  }

  /** How many that keep a place go before the asker. */
  ahead(line: readonly number[]): number {
    return line.length > 0 && this.#held.isLent(line) ? 0 : this.#reservers;
  }

  /** Whether it can be granted beside what is held, whoever is ahead. */
  fitsBesideHeld(wish: LockUnits, line: readonly number[]): boolean {
    const { before, after } = this.#held.family(line, this.#units(wish));
    if (after <= before && this.#held.isLent(line)) return true;
    return this.#held.total - before + after <= this.slots;
  }

  take(wish: LockUnits, line: readonly number[]): LockTake {
    const units = this.#units(wish);
    this.#held.add(units, line);
    this.#queued.add(units, line);
    return { ...wish, slots: this.slots };
  }

  reserve(wish: LockUnits, line: readonly number[]): void {
    this.#queued.add(this.#units(wish), line);
    this.#reservers += 1;
  }

  /** Whoever asks for more than there is gets all of it, when nobody else has any: slots may have been lowered since. */
  #units({ mode, units }: LockUnits): number {
    return mode === 'exclusive' ? this.#whole : Math.min(units, this.#whole);
  }
}
