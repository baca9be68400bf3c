import type { CodeHost } from '../../config/code-host.ts';
import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { Json } from '../../model/json.ts';
import { requestFacts } from '../builds/function-facts.ts';
import { clockSeconds } from './clock-time.ts';
import type { Complaints } from './complaints.ts';
import { queueOrder } from './queue-order.ts';
import type { Hold } from './queue-state.ts';

export interface NextBuildsOptions {
  readonly codeHost: Pick<CodeHost, 'ask'>;
  readonly config: () => ConfigShape;
  readonly nowMs: () => number;
  readonly complaints: Complaints;
  /** There is an answer: the queue is to be looked at again. */
  readonly wake: () => void;
}

const LIMIT_MS = 10_000;
/** After an answer that starts nothing the function is asked again in so long. */
const AGAIN_MS = 60_000;
/** The first so many of a builder's requests are put before the function. */
const CHOICES = 100;

interface Chosen {
  readonly chosen: number;
}

interface Asked {
  readonly configHash: string;
  /** What was put before the function: the same is not asked twice. */
  readonly ids: string;
  /** What it chose before: that stands until it has answered, or requests that come faster than its answers would hold up all. */
  readonly before: Chosen | undefined;
  /** Absent: it has not answered yet. */
  answer?: Chosen | { readonly text: string; readonly untilMs: number };
}

/**
 * Asks the `nextBuild` of builders which of their requests is looked at, one question of a builder at a time. Never waits for
 * it: until it has answered the builder's requests are held, and those of others go on.
 */
export class NextBuilds {
  readonly #options: NextBuildsOptions;
  /** By `PROJECT/BUILDER`. */
  readonly #asked = new Map<string, Asked>();

  constructor(options: NextBuildsOptions) {
    this.#options = options;
  }

  /** Which of the requests, which nothing else holds, are not their builders' next. */
  holds(requests: readonly BuildRequest[]): ReadonlyMap<number, Hold> {
    const holds = new Map<number, Hold>();
    const config = this.#options.config();
    for (const project of config.projects) {
      for (const builder of project.builders) {
        if (builder.functions?.nextBuild === undefined) continue;
        const target = `${project.name}/${builder.name}`;
        const own = requests.filter((one) => one.project === project.name && one.builder === builder.name);
        if (own.length === 0) this.#asked.delete(target);
        else this.#hold(config.hash, target, builder, own.toSorted(queueOrder), holds);
      }
    }
    return holds;
  }

  #hold(
    configHash: string,
    target: string,
    { name }: BuilderShape,
    own: readonly BuildRequest[],
    holds: Map<number, Hold>,
  ): void {
    const ids = own.map(({ id }) => id).join(' ');
    let asked = this.#asked.get(target);
    if (asked?.configHash !== configHash) asked = undefined;
    if (!asked || this.#isToBeAskedAgain(asked, ids)) {
      const { answer } = asked ?? {};
      asked = { configHash, ids, before: answer && 'chosen' in answer ? answer : undefined };
      this.#asked.set(target, asked);
      void this.#ask(target, asked, own.slice(0, CHOICES));
    }
    const answer = asked.answer ?? asked.before;
    const isGone = answer && 'chosen' in answer && !own.some(({ id }) => id === answer.chosen);
    for (const { id } of own) {
      const hold = holdOf(id, name, isGone ? undefined : answer);
      if (hold) holds.set(id, hold);
    }
  }

  #isToBeAskedAgain({ ids, answer }: Asked, now: string): boolean {
    if (!answer) return false;
    return ids !== now || ('text' in answer && answer.untilMs <= this.#options.nowMs());
  }

  async #ask(target: string, asked: Asked, own: readonly BuildRequest[]): Promise<void> {
    const { codeHost, complaints, nowMs, wake } = this.#options;
    const [project = '', builder = ''] = target.split('/');
    const place = `project ${project}/builder ${builder}/nextBuild`;
    const args = [JSON.parse(JSON.stringify(own.map(requestFacts))) as Json];
    const answered = await codeHost.ask({ configHash: asked.configHash, place, args, limitMs: LIMIT_MS });
    const untilMs = nowMs() + AGAIN_MS;
    const again = `asked again at ${clockSeconds(untilMs)}`;
    if ('ok' in answered && own.some(({ id }) => id === answered.ok)) asked.answer = { chosen: answered.ok as number };
    else if ('ok' in answered && answered.ok === null)
      asked.answer = { text: `nextBuild of ${builder} chose none; ${again}`, untilMs };
    else {
      const error =
        'ok' in answered ? `it answered ${JSON.stringify(answered.ok)}, which is no id of a request` : answered.error;
      complaints.tell(`nextBuild of ${target}`, error);
      asked.answer = { text: `nextBuild of ${builder} failed: ${error}; ${again}`, untilMs };
    }
    wake();
  }
}

function holdOf(id: number, builder: string, answer: Asked['answer']): Hold | undefined {
  if (!answer) return { text: `nextBuild of ${builder} is asked` };
  if ('text' in answer) return answer;
  return answer.chosen === id
    ? undefined
    : { text: `nextBuild of ${builder} chose request ${answer.chosen} before it` };
}
