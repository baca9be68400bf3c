import type { BuildView } from '../../src/master/views/build.ts';
import { NOT_ANSWERED } from './counter.ts';
import type { Counter } from './counter.ts';
import type { Violations } from './violations.ts';

/** Tells the master of changes: each is built once, alone or together with others. */
export class Changes {
  readonly #counter: Counter;
  readonly #violations: Violations;
  /** Those that were answered, with the builds of each, by its revision. */
  readonly #builds = new Map<string, number[]>();
  #unanswered: { readonly branch: string; readonly revision: string } | undefined;
  #count = 0;
  builds = 0;

  constructor(counter: Counter, violations: Violations) {
    this.#counter = counter;
    this.#violations = violations;
  }

  get sent(): number {
    return this.#count;
  }

  /** A new one; or once more the one whose answer was lost, as a hook of a repository does. */
  async send(branch: string): Promise<void> {
    this.#unanswered ??= { branch, revision: `change-${(this.#count += 1)}` };
    await this.#sendAgain();
  }

  /** Whether there is nothing more to come of them. */
  async areBuilt(): Promise<boolean> {
    await this.#sendAgain();
    return this.#unanswered === undefined && this.#builds.size === this.#count;
  }

  async #sendAgain(): Promise<void> {
    if (!this.#unanswered) return;
    const { branch, revision } = this.#unanswered;
    const words = ['sendchange', 'chaos', '--branch', branch, '--revision', revision, '--json'];
    const { status, stderr } = await this.#counter.ask(...words);
    if (NOT_ANSWERED.includes(status)) return;
    if (status !== 0) this.#violations.add(`${words.join(' ')} ended with ${status}: ${stderr}`);
    this.#unanswered = undefined;
  }

  judge({ id, result, changes }: BuildView): void {
    if (result === 'retry' || changes.length === 0) return;
    this.builds += 1;
    for (const { revision } of changes) this.#builds.set(revision, [...(this.#builds.get(revision) ?? []), id]);
  }

  /** When all is through. */
  close(): void {
    for (let n = 1; n <= this.#count; n++) {
      const builds = this.#builds.get(`change-${n}`) ?? [];
      if (builds.length !== 1)
        this.#violations.add(`change ${n} was built ${builds.length} times: ${builds.join(', ')}`);
    }
  }
}
