import type { BuildView } from '../../src/master/views/build.ts';
import type { Violations } from './violations.ts';

/** What builds of the kind `parent` trigger and wait for: each has one child, which ends once, before it. */
export class Families {
  readonly #violations: Violations;
  /** Ids of the children that a parent names. */
  readonly #named = new Set<number>();
  readonly #children = new Set<number>();

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  get children(): number {
    return this.#children.size;
  }

  judge(build: BuildView): void {
    const { id, builder, result, children, parent } = build;
    if (parent && result !== 'retry') this.#children.add(id);
    for (const child of children) if (child.build !== null) this.#named.add(child.build);
    if (builder !== 'parent') return;
    const most = children.length <= 1 && children.every(({ state }) => state === 'ended');
    if (!most || (result === 'success' && children.length === 0))
      this.#violations.add(`build ${id} has not one child that has ended: ${JSON.stringify(children)}`);
  }

  /** It ended as it did for what its child came to. */
  hasBadChild({ children, steps }: BuildView): boolean {
    const bad = children.find(({ result }) => result !== 'success');
    return bad !== undefined && steps.some(({ result }) => result === bad.result);
  }

  /** When all is through. */
  close(): void {
    for (const id of this.#children) {
      if (!this.#named.has(id)) this.#violations.add(`build ${id} is the child of none`);
    }
  }
}
