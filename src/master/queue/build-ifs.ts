import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Answered } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import { StoreError } from '../../store/store.ts';
import type { RequestEnd, Store } from '../../store/store.ts';
import { AskedRequests } from './asked-requests.ts';
import type { AskedRequestsOptions } from './asked-requests.ts';
import type { Complaints } from './complaints.ts';
import type { Hold } from './queue-state.ts';

export interface BuildIfsOptions extends AskedRequestsOptions {
  readonly store: Pick<Store, 'requests'>;
  readonly clock: Clock;
  readonly logger: Logger;
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
  readonly #ending = new Map<number, Promise<void>>();

  constructor(options: BuildIfsOptions) {
    this.#options = options;
    this.#asked = new AskedRequests('buildIf', options);
  }

  /** Which of the requests, which nothing else holds, are not to be built, or nobody knows yet. */
  holds(requests: readonly BuildRequest[]): ReadonlyMap<number, Hold> {
    const { hash, projects } = this.#options.config();
    const rules = new Map(
      projects.flatMap((project) =>
        project.builders.flatMap(({ name, functions: { buildIf } = {} }) =>
          buildIf === undefined ? [] : [[`${project.name}/${name}`, buildIf] as const],
        ),
      ),
    );
    const ruleOf = ({ project, builder }: BuildRequest): false | string | undefined =>
      rules.get(`${project}/${builder}`);
    const isAsked = (request: BuildRequest): boolean => typeof ruleOf(request) === 'string';
    const answers = this.#asked.look(hash, rules.size === 0 ? [] : requests.filter(isAsked));
    const holds = new Map<number, Hold>();
    for (const request of rules.size === 0 ? [] : requests) {
      const rule = ruleOf(request);
      if (rule === undefined) continue;
      const answer = rule === false ? { ok: false } : answers.get(request.id);
      const end = answer && endOf(request.builder, answer);
      if (answer && !end) continue;
      holds.set(request.id, { text: end?.summary ?? `buildIf of ${request.builder} is asked` });
      if (!end || this.#ending.has(request.id)) continue;
      const ending = this.#end(request, end).finally(() => this.#ending.delete(request.id));
      this.#ending.set(request.id, ending);
    }
    return holds;
  }

  async close(): Promise<void> {
    this.#asked.close();
    await Promise.all(this.#ending.values());
  }

  async #end({ id, project, builder }: BuildRequest, end: RequestEnd): Promise<void> {
    const { store, clock, logger, complaints } = this.#options;
    if (end.result === 'exception') complaints.tell(`buildIf of ${project}/${builder}`, end.summary);
    try {
      await store.requests.end(id, end, clock.now());
    } catch (error) {
      // It was started, or stopped, in this moment.
      if (!(error instanceof StoreError && error.code === 'lost-claim'))
        logger.error('a request that is not to be built could not be ended; it is tried again', {
          request: id,
          error: errorText(error),
        });
    }
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
  return {
    result: 'exception',
    summary: `not built, for buildIf of ${builder} failed: ${error.slice(0, TEXT_CHARACTERS)}`,
  };
}
