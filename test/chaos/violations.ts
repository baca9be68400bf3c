/** What went wrong, each with the round of faults in which it was seen. */
export class Violations {
  readonly all: string[] = [];
  readonly #seen: (text: string) => void;
  round = 0;

  constructor(seen: (text: string) => void) {
    this.#seen = seen;
  }

  add(what: string): void {
    const text = `round ${this.round}: ${what}`;
    this.all.push(text);
    this.#seen(text);
  }
}
