import { errorText } from '../../base/errors.ts';
import type { FreeWorker } from '../../config/chooser-context.ts';
import type { CodeHost } from '../../config/code-host.ts';
import type { Json } from '../../model/json.ts';
import type { Store } from '../../store/store.ts';
import { requestFacts, workerFacts } from '../builds/function-facts.ts';
import { clockSeconds } from './clock-time.ts';
import type { Complaints } from './complaints.ts';
import type { Pair, QueueState } from './queue-state.ts';
import type { Vetoes } from './vetoes.ts';

export interface NextWorkersOptions {
  readonly codeHost: Pick<CodeHost, 'ask'>;
  readonly store: Store;
  readonly nowMs: () => number;
  readonly complaints: Complaints;
  readonly vetoes: Pick<Vetoes, 'add'>;
  /** There is an answer: the queue is to be looked at again. */
  readonly wake: () => void;
}

const LIMIT_MS = 10_000;
/** A choice stands for so long: when its worker has no room by then, the function is asked anew. */
const STANDS_MS = 10_000;
/** After an answer that names nobody the function is asked again about the same workers in so long. */
const AGAIN_MS = 60_000;

/**
 * Asks the `nextWorker` of builders which of the workers that have room a request goes to. Never waits for it: what it does
 * not want becomes a veto, and the next round chooses by that.
 */
export class NextWorkers {
  readonly #options: NextWorkersOptions;
  /** By request: its worker, until then; absent: the function has not answered yet. */
  readonly #asked = new Map<number, { readonly worker: string; readonly untilMs: number } | undefined>();

  constructor(options: NextWorkersOptions) {
    this.#options = options;
  }

  /** False: the pair is not to be made, as its builder wants to be asked first, or chose another worker. */
  allows(pair: Pair, state: QueueState): boolean {
    const { request, worker, choices } = pair;
    if (!choices) return true;
    const chosen = this.#asked.get(request.id);
    if (chosen && chosen.worker === worker && chosen.untilMs > this.#options.nowMs()) return true;
    if (!this.#isUnderWay(request.id)) this.#begin(pair, choices, state);
    return false;
  }

  /** Why the pair is not made, for people. */
  why({ request, builder, choices }: Pair): string | undefined {
    if (!choices || this.#asked.get(request.id)) return undefined;
    return `nextWorker of ${builder.name} is asked`;
  }

  /** The request waits no more. */
  forget(requestId: number): void {
    this.#asked.delete(requestId);
  }

  #isUnderWay(requestId: number): boolean {
    return this.#asked.has(requestId) && this.#asked.get(requestId) === undefined;
  }

  #begin(pair: Pair, choices: readonly string[], state: QueueState): void {
    const { request, builder } = pair;
    // A request may end otherwise than by a claim, too.
    const nowMs = this.#options.nowMs();
    for (const [id, chosen] of this.#asked) if (chosen && chosen.untilMs <= nowMs) this.#asked.delete(id);
    this.#asked.set(request.id, undefined);
    this.#ask(pair, choices, state).catch((error: unknown) => {
      this.#asked.delete(request.id);
      this.#options.complaints.tell(`nextWorker of ${request.project}/${builder.name}`, errorText(error));
    });
  }

  async #ask({ request, builder }: Pair, choices: readonly string[], state: QueueState): Promise<void> {
    const { codeHost, store, nowMs, complaints, vetoes, wake } = this.#options;
    const { id, project } = request;
    const records = new Map((await store.workers.list()).map((record) => [record.name, record]));
    const lastUsed = state.lastUsed.get(`${project}/${builder.name}`);
    const workers = choices.map((name): FreeWorker => ({
      ...workerFacts(state.config, name, records.get(name), state.workers.get(name)?.running ?? 0),
      isLastUsed: name === lastUsed,
    }));
    const { hash: configHash } = state.config;
    const place = `project ${project}/builder ${builder.name}/nextWorker`;
    const args = JSON.parse(JSON.stringify([workers, requestFacts(request)])) as readonly Json[];
    const answered = await codeHost.ask({ configHash, place, args, limitMs: LIMIT_MS });
    const chosen = 'ok' in answered ? choices.find((name) => name === answered.ok) : undefined;
    if (chosen !== undefined) {
      const untilMs = nowMs() + STANDS_MS;
      this.#asked.set(id, { worker: chosen, untilMs });
      const others = choices.filter((name) => name !== chosen);
      for (const worker of others)
        vetoes.add({ of: id, worker, text: `nextWorker chose ${chosen}`, untilMs, configHash });
      return wake();
    }
    this.#asked.delete(id);
    const untilMs = nowMs() + AGAIN_MS;
    let text = 'nextWorker chose none';
    if (!('ok' in answered) || answered.ok !== null) {
      const error =
        'ok' in answered
          ? `it answered ${JSON.stringify(answered.ok)}, which has no room or is no worker`
          : answered.error;
      complaints.tell(`nextWorker of ${project}/${builder.name}`, error);
      text = `nextWorker failed: ${error}`;
    }
    text += `; asked again at ${clockSeconds(untilMs)}`;
    for (const worker of choices) vetoes.add({ of: id, worker, text, untilMs, configHash });
    wake();
  }
}
