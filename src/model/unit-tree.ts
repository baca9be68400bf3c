/** What a build has itself, and what the builds that it waits for have together. */
interface Share {
  readonly own: number;
  readonly children: number;
}

const NOTHING: Share = { own: 0, children: 0 };

/**
 * Units of one key, by build. A build that waits for others lends them its own: they count only as far as together they have
 * more than it. A `line` names a build, the one that waits for it, the one that waits for that, and so on.
 */
export class UnitTree {
  readonly #shares = new Map<number, Share>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Gives units to the first of the line; of an empty line, to nobody in particular. */
  add(units: number, line: readonly number[]): void {
    let more = units;
    for (const [at, build] of line.entries()) {
      const before = this.#shares.get(build) ?? NOTHING;
      const after = raised(before, more, at === 0);
      this.#shares.set(build, after);
      more = counted(after) - counted(before);
    }
    this.#total += more;
  }

  /** What the whole family of the line counts now, and with so many units more for its first. */
  family(line: readonly number[], units: number): { readonly before: number; readonly after: number } {
    let before = 0;
    let after = units;
    let more = units;
    for (const [at, build] of line.entries()) {
      const share = this.#shares.get(build) ?? NOTHING;
      before = counted(share);
      after = counted(raised(share, more, at === 0));
      more = after - before;
    }
    return { before, after };
  }

  /** Whether one of those who wait for the first of the line has units of its own. */
  isLent([, ...ancestors]: readonly number[]): boolean {
    return ancestors.some((build) => (this.#shares.get(build)?.own ?? 0) > 0);
  }
}

function raised({ own, children }: Share, more: number, isOwn: boolean): Share {
  return isOwn ? { own: own + more, children } : { own, children: children + more };
}

function counted({ own, children }: Share): number {
  return Math.max(own, children);
}
