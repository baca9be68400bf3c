import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { StoreError } from '../../store/store.ts';
import type { RequestEnd, Store } from '../../store/store.ts';

export interface QueueEndsOptions {
  readonly store: Pick<Store, 'requests'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Ends waiting requests of which a function of the configuration has said that they are not built. */
export class QueueEnds {
  readonly #options: QueueEndsOptions;
  readonly #underWay = new Map<number, Promise<void>>();

  constructor(options: QueueEndsOptions) {
    this.#options = options;
  }

  /** Once, however often it is called before that is done; one that failed is tried again with the next call. */
  end(id: number, end: RequestEnd): void {
    if (this.#underWay.has(id)) return;
    const underWay = this.#end(id, end).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, underWay);
  }

  /** When all that was begun is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  async #end(id: number, end: RequestEnd): Promise<void> {
    const { store, clock, logger } = this.#options;
    try {
      await store.requests.end(id, end, clock.now());
    } catch (error) {
      // It was started, or stopped, in this moment.
      if (error instanceof StoreError && error.code === 'lost-claim') return;
      const failed = 'a request that is not to be built could not be ended; it is tried again';
      logger.error(failed, { request: id, error: errorText(error) });
    }
  }
}
