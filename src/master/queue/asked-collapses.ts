import type { Cancel, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { CodeHost } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { QueuedFacts } from '../../config/values.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { Json } from '../../model/json.ts';
import type { Store } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';

export interface AskedCollapsesOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly codeHost: Pick<CodeHost, 'ask'>;
  readonly config: () => ConfigShape;
}

/** Of one question. */
const FUNCTION_LIMIT_MS = 10_000;
/** Of a lane that is longer the newest of the older ones are asked of: the others were, when these came. */
const ASKED_AT_MOST = 100;

/**
 * Collapses for builders whose `collapse` is a function: it is asked of the newest request of each lane and the older ones, each
 * pair once. One that throws or does not answer collapses nothing. What was asked is known to this master only: the next one
 * asks again.
 */
export class AskedCollapses {
  readonly #options: AskedCollapsesOptions;
  readonly #rounds: Rounds;
  #unsubscribe: Cancel | undefined;
  /** Pairs that are to stay two. */
  #kept = new Set<string>();

  constructor(options: AskedCollapsesOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'requests could not be collapsed; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    this.#unsubscribe = this.#options.bus.subscribe('requests', () => this.#rounds.wake());
    this.#rounds.wake();
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    await this.#rounds.close();
  }

  async #round(): Promise<void> {
    const { hash, projects } = this.#options.config();
    const builders = projects.flatMap((project) =>
      project.builders
        .filter(({ collapse }) => typeof collapse === 'object')
        .map(({ name }) => ({ project: project.name, builder: name })),
    );
    const kept = new Set<string>();
    for (const { project, builder } of builders) {
      const place = `project ${project}/builder ${builder}/collapse`;
      for (const lane of await this.#options.store.requests.lanes(project, builder)) {
        const newest = lane.at(-1);
        for (const older of newest ? lane.slice(-1 - ASKED_AT_MOST, -1) : []) {
          if (newest) await this.#look(hash, place, older, newest, kept);
        }
      }
    }
    this.#kept = kept;
  }

  async #look(
    configHash: string,
    place: string,
    older: BuildRequest,
    newer: BuildRequest,
    kept: Set<string>,
  ): Promise<void> {
    const { store, clock, logger, codeHost } = this.#options;
    const pair = `${configHash} ${older.id} ${newer.id}`;
    if (!this.#kept.has(pair)) {
      const args = [factsOf(older), factsOf(newer)];
      const answer = await codeHost.ask({ configHash, place, args, limitMs: FUNCTION_LIMIT_MS });
      if ('ok' in answer && answer.ok === true) {
        await store.requests.collapse(older.id, newer.id, clock.now());
        return;
      }
      if (!('ok' in answer) || answer.ok !== false) {
        const why = 'ok' in answer ? `it answered ${JSON.stringify(answer.ok)}, not true or false` : answer.error;
        logger.warn('two requests are not collapsed', { place, older: older.id, newer: newer.id, why });
      }
    }
    kept.add(pair);
  }
}

/** As functions of the configuration see a request. */
function factsOf(request: BuildRequest): Json {
  const { id, project, builder, priority, reason, owner, source, properties, submittedAtMs } = request;
  const facts: QueuedFacts = { id, project, builder, priority, reason, owner, source, properties, submittedAtMs };
  return JSON.parse(JSON.stringify(facts)) as Json;
}
