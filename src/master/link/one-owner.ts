import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Fields } from '../../protocol/messages.ts';

/** Who a connection says it is, and how to reach it. */
export interface Claimant {
  readonly hello: Fields<'hello'>;
  /** Address and port, for people. */
  readonly peer: string;
  /** True when it shows that it is alive. */
  probe(timeoutMs: number): Promise<boolean>;
  /** Tells it that another took over, and ends it. */
  displace(message: string): void;
}

/** So many take-overs by the same machine within the minute are believed; after that the old one is asked. */
const MAX_DISPLACEMENTS = 3;
const WINDOW_MS = 60_000;

/**
 * One worker of a name at a time (docs/protocol.md, "One owner"). The newest connection of the same machine wins at once: the
 * old one is a corpse that nobody noticed yet. Anyone else wins only over an owner that does not answer. Machines that displace
 * each other again and again are clones with one identity, so then the owner is asked as well.
 */
export class OneOwner {
  readonly #clock: Clock;
  readonly #displacedAt: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when the newcomer may take over; the owner has been displaced then. */
  async judge(
    owner: Claimant | undefined,
    newcomer: Omit<Claimant, 'probe' | 'displace'>,
  ): Promise<Fields<'goodbye'> | undefined> {
    if (!owner) return undefined;
    const isSame = owner.hello.installId === newcomer.hello.installId && owner.hello.bootId === newcomer.hello.bootId;
    if (isSame && this.#recentDisplacements() < MAX_DISPLACEMENTS) {
      this.#displacedAt.push(this.#clock.monotonic());
    } else if (await owner.probe(LIMITS.probeMs)) {
      return duplicate(owner, newcomer, isSame);
    }
    owner.displace(`a newer connection of this worker came from ${newcomer.peer} (host ${newcomer.hello.host})`);
    return undefined;
  }

  #recentDisplacements(): number {
    const since = this.#clock.monotonic() - WINDOW_MS;
    while (this.#displacedAt[0] !== undefined && this.#displacedAt[0] <= since) this.#displacedAt.shift();
    return this.#displacedAt.length;
  }
}

function duplicate(owner: Claimant, newcomer: Pick<Claimant, 'hello' | 'peer'>, isSame: boolean): Fields<'goodbye'> {
  const name = newcomer.hello.worker;
  const why = isSame
    ? 'both have one install id: was its folder copied?'
    : 'stop one of them, or give each a name and a key of its own';
  const message =
    `worker ${name} is connected already from host ${owner.hello.host} (${owner.peer}) and answers; ` +
    `this is host ${newcomer.hello.host} (${newcomer.peer}); ${why}`;
  return { code: 'duplicate-worker', message: message.slice(0, 1_000), retryAfterMs: WINDOW_MS };
}
