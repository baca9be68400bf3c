import type { Answered } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { RequestEnd } from '../../store/store.ts';
import { AskedRequests } from './asked-requests.ts';
import type { AskedRequestsOptions } from './asked-requests.ts';
import type { Complaints } from './complaints.ts';
import { QueueEnds } from './queue-ends.ts';
import type { QueueEndsOptions } from './queue-ends.ts';
import type { Hold } from './queue-state.ts';
import { rulesOf } from './rules-of.ts';

export interface BuildIfsOptions extends AskedRequestsOptions, QueueEndsOptions {
  readonly config: () => ConfigShape;
  readonly complaints: Complaints;
}

const TEXT_CHARACTERS = 500;

/**
 * Asks the `buildIf` of builders whether a request is built at all, before anything is taken for it. A no ends the request as
 * skipped, an error as an exception: both in one commit, before which a master that was killed asks again.
 */
export class BuildIfs {
  readonly #options: BuildIfsOptions;
  readonly #asked: AskedRequests;
  readonly #ends: QueueEnds;

  constructor(options: BuildIfsOptions) {
    this.#options = options;
    this.#asked = new AskedRequests('buildIf', options);
    this.#ends = new QueueEnds(options);
  }

  /** Which of the requests, which nothing else holds, are not to be built, or nobody knows yet. */
  holds(requests: readonly BuildRequest[]): ReadonlyMap<number, Hold> {
    const config = this.#options.config();
    const ruled = rulesOf(config, requests, ({ functions }) => functions?.buildIf);
    const isAsked = ({ rule }: (typeof ruled)[number]): boolean => rule !== false;
    const asked = ruled.filter(isAsked).map(({ request }) => request);
    const answers = this.#asked.look(config.hash, asked);
    const holds = new Map<number, Hold>();
    for (const { request, rule } of ruled) {
      const answer = rule === false ? { ok: false } : answers.get(request.id);
      const end = answer && endOf(request.builder, answer);
      if (answer && !end) continue;
      holds.set(request.id, { text: end?.summary ?? `buildIf of ${request.builder} is asked` });
      if (end) this.#end(request, end);
    }
    return holds;
  }

  async close(): Promise<void> {
    this.#asked.close();
    await this.#ends.settled();
  }

  #end({ id, project, builder }: BuildRequest, end: RequestEnd): void {
    if (end.result === 'exception') this.#options.complaints.tell(`buildIf of ${project}/${builder}`, end.summary);
    this.#ends.end(id, end);
  }
}

/** Undefined: it is built. */
function endOf(builder: string, answer: Answered): RequestEnd | undefined {
  if ('ok' in answer) {
    const { ok } = answer;
    if (ok === true) return undefined;
    const skipped = { result: 'skipped', cause: 'unwanted' } as const;
    if (ok === false || ok === '') return { ...skipped, summary: `not built, for buildIf of ${builder} says no` };
    if (typeof ok === 'string')
      return { ...skipped, summary: `not built, for buildIf of ${builder} says: ${ok.slice(0, TEXT_CHARACTERS)}` };
  }
  const error =
    'ok' in answer
      ? `it answered ${JSON.stringify(answer.ok)}, not true, false or a text that says why not`
      : answer.error;
  const summary = `not built, for buildIf of ${builder} failed: ${error.slice(0, TEXT_CHARACTERS)}`;
  return { result: 'exception', summary };
}
