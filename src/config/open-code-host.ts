import { errorText } from '../base/errors.ts';
import type { AnswerCall, Answered, CodeHost, Question, StepReport, StepRun } from './code-host.ts';
import type { ConfigShape } from './shape.ts';
import { ThreadCodeHost } from './thread-code-host.ts';
import type { ThreadCodeHostOptions } from './thread-code-host.ts';

export interface CodeHostOptions extends ThreadCodeHostOptions {
  /** A thread that has loaded so many bundles is followed by a fresh one; default 20. */
  readonly bundlesAThread?: number;
}

const BUNDLES_A_THREAD = 20;

/** Opens the host of user code. Its thread starts with the first configuration. */
export function openCodeHost(options: CodeHostOptions): CodeHost {
  return new ThreadsInTurn(options);
}

interface Turn {
  readonly host: ThreadCodeHost;
  /** Loads, runs and questions that have not ended. */
  uses: number;
}

/**
 * A module that was loaded cannot be unloaded: with each change of the configuration a thread grows. So its turn ends after some
 * of them: what comes next goes to a fresh thread, and the old one is ended with the last step that runs there. A build that
 * began before goes over with its next step.
 */
class ThreadsInTurn implements CodeHost {
  readonly #options: CodeHostOptions;
  readonly #older = new Set<Turn>();
  #current: Turn;
  #isClosed = false;

  constructor(options: CodeHostOptions) {
    this.#options = options;
    this.#current = { host: new ThreadCodeHost(options), uses: 0 };
  }

  load(hash: string, bundle: Uint8Array): Promise<ConfigShape> {
    return this.#use((host) => host.load(hash, bundle));
  }

  runStep(run: StepRun, answer: AnswerCall, signal?: AbortSignal): Promise<StepReport> {
    return this.#use((host) => host.runStep(run, answer, signal));
  }

  ask(question: Question, signal?: AbortSignal): Promise<Answered> {
    return this.#use((host) => host.ask(question, signal));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#current, ...this.#older].map(({ host }) => host.close()));
  }

  async #use<T>(use: (host: ThreadCodeHost) => Promise<T>): Promise<T> {
    const { bundlesAThread = BUNDLES_A_THREAD } = this.#options;
    if (this.#current.host.loadCount >= bundlesAThread && !this.#isClosed) this.#takeTurns();
    const turn = this.#current;
    turn.uses += 1;
    try {
      return await use(turn.host);
    } finally {
      turn.uses -= 1;
      this.#endIfOver(turn);
    }
  }

  #takeTurns(): void {
    const turn = this.#current;
    this.#current = { host: new ThreadCodeHost(this.#options), uses: 0 };
    this.#older.add(turn);
    this.#endIfOver(turn);
  }

  #endIfOver(turn: Turn): void {
    if (turn.uses > 0 || !this.#older.delete(turn)) return;
    turn.host.close().catch((error: unknown) => {
      this.#options.logger.error('a thread of user code did not end', { error: errorText(error) });
    });
  }
}
