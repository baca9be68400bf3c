/** Wake-ups of a stream of output: the first at once, then one in so long. */
const QUIET_MS = 10;

/** Gathers names of commands that moved on, and tells them in few messages. */
export class ProgressNotice {
  readonly #tell: (commands: readonly string[]) => void;
  readonly #moved = new Set<string>();
  #lastMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (commands: readonly string[]) => void) {
    this.#tell = tell;
  }

  add(command: string, isUrgent: boolean): void {
    this.#moved.add(command);
    const waitMs = this.#lastMs + QUIET_MS - performance.now();
    if (isUrgent || waitMs <= 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lastMs = performance.now();
    const commands = [...this.#moved];
    this.#moved.clear();
    this.#tell(commands);
  }
}
