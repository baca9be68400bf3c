export interface ForwardPlaceLimits {
  /** Of one person, on all connections together. */
  readonly forwardsOfPerson: number;
  /** Of everybody together. */
  readonly forwards: number;
}

/** Counts the forwards that are open; who has many keeps out no other. */
export class ForwardPlaces {
  readonly #limits: ForwardPlaceLimits;
  readonly #ofPerson = new Map<string, number>();
  #count = 0;

  constructor(limits: ForwardPlaceLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes a place; a function that gives it back (call it once), or the reason why there is none. */
  take(person: string): (() => void) | { readonly refused: string } {
    const { forwards, forwardsOfPerson } = this.#limits;
    const own = this.#ofPerson.get(person) ?? 0;
    if (own >= forwardsOfPerson)
      return { refused: `${forwardsOfPerson} forwards at a time are the most of one person` };
    if (this.#count >= forwards) return { refused: 'the master serves as many forwards as it can: try again later' };
    this.#count++;
    this.#ofPerson.set(person, own + 1);
    return () => {
      this.#count--;
      const left = (this.#ofPerson.get(person) ?? 1) - 1;
      if (left > 0) this.#ofPerson.set(person, left);
      else this.#ofPerson.delete(person);
    };
  }
}
