import type { Answered, CodeHost } from '../../config/code-host.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { Json } from '../../model/json.ts';
import { requestFacts } from '../builds/function-facts.ts';
import { queueOrder } from './queue-order.ts';

export interface AskedRequestsOptions {
  readonly codeHost: Pick<CodeHost, 'ask'>;
  /** There is an answer: the queue is to be looked at again. */
  readonly wake: () => void;
}

interface Asked {
  readonly configHash: string;
  /** Absent: it has not answered yet. */
  answer?: Answered;
}

const LIMIT_MS = 10_000;
/** Many at once would wait for each other in the thread, and their limits with them. */
const AT_ONCE = 10;

/**
 * Asks one function of builders about their waiting requests: about each once while it waits and the configuration is the same.
 * Never waits for it. In memory: a master that was restarted asks again.
 */
export class AskedRequests {
  readonly #options: AskedRequestsOptions;
  readonly #key: string;
  readonly #asked = new Map<number, Asked>();
  /** Those to ask about next, and with which configuration. */
  #next: readonly BuildRequest[] = [];
  #configHash = '';
  #underWay = 0;
  #isClosed = false;

  /** `key`: what the function is called in its builder. */
  constructor(key: string, options: AskedRequestsOptions) {
    this.#key = key;
    this.#options = options;
  }

  /** What was answered about each of them; undefined: nothing yet. What is not among them is forgotten. */
  look(configHash: string, requests: readonly BuildRequest[]): ReadonlyMap<number, Answered | undefined> {
    const answers = new Map<number, Answered | undefined>();
    const next: BuildRequest[] = [];
    for (const request of requests) {
      const asked = this.#asked.get(request.id);
      const isKnown = asked?.configHash === configHash;
      if (!isKnown) next.push(request);
      answers.set(request.id, isKnown ? asked.answer : undefined);
    }
    for (const id of this.#asked.keys()) if (!answers.has(id)) this.#asked.delete(id);
    this.#next = next.toSorted(queueOrder);
    this.#configHash = configHash;
    this.#fill();
    return answers;
  }

  /** No answer counts any more: the thread is ended with the master, which is nobody's fault. */
  close(): void {
    this.#isClosed = true;
  }

  #fill(): void {
    while (this.#underWay < AT_ONCE && !this.#isClosed) {
      const [request, ...others] = this.#next;
      if (!request) return;
      this.#next = others;
      const asked: Asked = { configHash: this.#configHash };
      this.#asked.set(request.id, asked);
      void this.#ask(request, asked);
    }
  }

  async #ask(request: BuildRequest, asked: Asked): Promise<void> {
    const { project, builder } = request;
    const { codeHost, wake } = this.#options;
    const { configHash } = asked;
    const place = `project ${project}/builder ${builder}/${this.#key}`;
    const args = [JSON.parse(JSON.stringify(requestFacts(request))) as Json];
    this.#underWay += 1;
    const answer = await codeHost.ask({ configHash, place, args, limitMs: LIMIT_MS });
    this.#underWay -= 1;
    if (this.#isClosed) return;
    asked.answer = answer;
    this.#fill();
    wake();
  }
}
