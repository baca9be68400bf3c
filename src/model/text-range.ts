/** A sorted list of texts, asked for those that begin or end with something. */
export class TextRange {
  readonly #sorted: readonly string[];
  #backwards: TextRange | undefined;

  constructor(sorted: readonly string[]) {
    this.#sorted = sorted;
  }

  /** Whether one begins with this and is longer. */
  hasLonger(begin: string): boolean {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? '') <= begin) low = middle + 1;
      else high = middle;
    }
    return this.#sorted[low]?.startsWith(begin) ?? false;
  }

  /** Whether one ends with this and is longer. */
  hasLongerEndingWith(end: string): boolean {
    this.#backwards ??= new TextRange(this.#sorted.map(reversed).sort());
    return this.#backwards.hasLonger(reversed(end));
  }
}

function reversed(text: string): string {
  return text.split('').reverse().join('');
}
