import type { ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { LockAccess } from '../../model/lock.ts';
import { AskedRequests } from './asked-requests.ts';
import type { AskedRequestsOptions } from './asked-requests.ts';
import type { Complaints } from './complaints.ts';
import { QueueEnds } from './queue-ends.ts';
import type { QueueEndsOptions } from './queue-ends.ts';
import type { Hold } from './queue-state.ts';
import { rulesOf } from './rules-of.ts';

export interface OwnLocksOptions extends AskedRequestsOptions, QueueEndsOptions {
  readonly config: () => ConfigShape;
  readonly complaints: Complaints;
}

/** What the functions have said of requests, and who waits for their answer. */
export interface NamedLocks {
  readonly holds: ReadonlyMap<number, Hold>;
  readonly locks: ReadonlyMap<number, readonly LockAccess[]>;
}

/**
 * Asks the `locks` of builders, where it is a function, which locks a request's build is to hold. Until it has answered the request
 * is held; an error ends it as an exception. What the build holds is rows then, as of all others.
 */
export class OwnLocks {
  readonly #options: OwnLocksOptions;
  readonly #asked: AskedRequests;
  readonly #ends: QueueEnds;
  /** One list for all requests of a builder that ask alike: by it the choice knows that they do. */
  #lists = new Map<string, readonly LockAccess[]>();

  constructor(options: OwnLocksOptions) {
    this.#options = options;
    this.#asked = new AskedRequests('locks', options);
    this.#ends = new QueueEnds(options);
  }

  /** Of the requests that nothing else holds. */
  look(requests: readonly BuildRequest[]): NamedLocks {
    const config = this.#options.config();
    const asked = rulesOf(config, requests, ({ functions }) => functions?.locks).map(({ request }) => request);
    const answers = this.#asked.look(config.hash, asked);
    const holds = new Map<number, Hold>();
    const locks = new Map<number, readonly LockAccess[]>();
    const lists = new Map<string, readonly LockAccess[]>();
    for (const request of asked) {
      const { id, project, builder } = request;
      const answer = answers.get(id);
      if (!answer) holds.set(id, { text: `locks of ${builder} is asked` });
      else if ('ok' in answer) {
        const key = `${project}/${builder} ${JSON.stringify(answer.ok)}`;
        // The thread has checked it.
        const list = lists.get(key) ?? this.#lists.get(key) ?? (answer.ok as unknown as readonly LockAccess[]);
        lists.set(key, list);
        locks.set(id, list);
      } else {
        const summary = `not built, for locks of ${builder} failed: ${answer.error}`;
        holds.set(id, { text: summary });
        this.#options.complaints.tell(`locks of ${project}/${builder}`, answer.error);
        this.#ends.end(id, { result: 'exception', summary });
      }
    }
    this.#lists = lists;
    return { holds, locks };
  }

  async close(): Promise<void> {
    this.#asked.close();
    await this.#ends.settled();
  }
}
