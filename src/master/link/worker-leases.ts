import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Build } from '../../model/build.ts';
import { leaseOf } from '../../model/lost-worker.ts';
import type { Fields } from '../../protocol/messages.ts';
import type { MasterLink } from '../../transport/link.ts';
import type { HeldLeases } from './held-leases.ts';

export interface WorkerLeasesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly held: HeldLeases;
  readonly hello: Fields<'hello'>;
  readonly link: MasterLink;
}

/** The least that can be said: it raises no lease, and its answer comes after all verdicts are on the worker's disk. */
const NO_LEASE_MS = 1;

/**
 * The leases that a worker is given on one connection. A build's own lease goes with each start and each verdict; what the
 * worker may hold beyond that is noted in the store before it is told, and taken back when it has said that its verdicts hold.
 */
export class WorkerLeases {
  readonly #options: WorkerLeasesOptions;
  readonly #answers = new Map<number, Deferred<void>>();
  #n = 0;
  /** The message whose answer tells that the worker holds its builds' own leases and nothing more. */
  #settling: number | undefined;
  /** A verdict could not say what the lease is. */
  #isUnsure = false;

  constructor(options: WorkerLeasesOptions) {
    this.#options = options;
  }

  /** For the verdict on a command of this build; a build whose configuration cannot be read is held for ever. */
  async leaseOf(build: Build): Promise<number | undefined> {
    const { held, logger } = this.#options;
    try {
      return leaseOf(await held.ruleOf(build));
    } catch (error) {
      logger.warn('a build waits for its worker, because its configuration cannot be read', {
        build: build.id,
        error: errorText(error),
      });
      this.#isUnsure = true;
      await held.put(build.worker, Number.MAX_SAFE_INTEGER);
      return undefined;
    }
  }

  /** All verdicts were sent. */
  ready(): void {
    const { held, hello, link } = this.#options;
    if (this.#isUnsure || !keepsLeases(hello) || held.of(hello.worker) === 0) return;
    this.#settling = ++this.#n;
    link.send('lease', '', { n: this.#settling, leaseMs: NO_LEASE_MS });
  }

  async answered(n: number): Promise<void> {
    const { held, hello } = this.#options;
    this.#answers.get(n)?.resolve();
    this.#answers.delete(n);
    if (n !== this.#settling) return;
    this.#settling = undefined;
    await held.put(hello.worker, undefined);
  }

  /** Raises all leases until the next inventory is answered; false when the worker did not say in time that they hold. */
  async raise(leaseMs: number, timeoutMs: number): Promise<boolean> {
    const { clock, held, hello, link } = this.#options;
    if (!keepsLeases(hello)) return true;
    this.#settling = undefined;
    if (held.of(hello.worker) < leaseMs) await held.put(hello.worker, leaseMs);
    const n = ++this.#n;
    const answer = deferred();
    this.#answers.set(n, answer);
    link.send('lease', '', { n, leaseMs });
    const late = deferred<false>();
    const cancel = clock.after(timeoutMs, () => late.resolve(false));
    const isHeld = await Promise.race([answer.promise.then(() => true), link.closed.then(() => false), late.promise]);
    cancel();
    return isHeld;
  }
}

export function keepsLeases(hello: Fields<'hello'>): boolean {
  return hello.capabilities.includes('lease');
}
