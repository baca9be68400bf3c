/** Connections of one principal that are logged in at a time. */
export interface PrincipalLimits {
  /** One is in use; one more may be dead without its being known yet, and those that say no hello are ended soon. */
  readonly connectionsOfWorker: number;
  /** One `ssh` each. */
  readonly connectionsOfPerson: number;
}

export const PRINCIPAL_LIMITS: PrincipalLimits = { connectionsOfWorker: 4, connectionsOfPerson: 64 };

/**
 * Counts the connections of each principal. Over the limit it is the comer who is refused: none that works is ended for one that
 * has not shown yet what it is good for, and whoever has the key could use those that are there anyway.
 */
export class PrincipalPlaces {
  readonly #limits: PrincipalLimits;
  readonly #counts = new Map<string, number>();

  constructor(limits: PrincipalLimits) {
    this.#limits = limits;
  }

  /** Takes a place; a function that gives it back, or the reason why there is none. */
  take({ name, role }: { readonly name: string; readonly role: string }): (() => void) | { readonly refused: string } {
    const count = this.#counts.get(name) ?? 0;
    const { connectionsOfWorker, connectionsOfPerson } = this.#limits;
    const most = role === 'worker' ? connectionsOfWorker : connectionsOfPerson;
    if (count >= most)
      return { refused: `${name} has ${count} connections already, the most there may be: end one first` };
    this.#counts.set(name, count + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left > 0) this.#counts.set(name, left);
      else this.#counts.delete(name);
    };
  }
}
