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

type Newcomer = Omit<Claimant, 'probe' | 'displace'>;

/** So many take-overs by the same daemon within the minute are believed; after that the old one is asked. */
const MAX_DISPLACEMENTS = 3;
const WINDOW_MS = 60_000;

/**
 * One worker of a name at a time (docs/protocol.md, "One owner"). The newest connection of the same daemon wins at once: the
 * old one is a corpse that nobody noticed yet. Anyone else wins only over an owner that does not answer, also one with the
 * same install id on the same boot: that may be a copy of the folder. Daemons that displace each other again and again are
 * clones with one identity, machines that were copied while they ran, so then the owner is asked as well.
 */
export class OneOwner {
  readonly #clock: Clock;
  readonly #displacedAt: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when the newcomer may take over; the owner has been displaced then. */
  async judge(owner: Claimant | undefined, newcomer: Newcomer): Promise<Fields<'goodbye'> | undefined> {
    if (!owner) return undefined;
    if (isSameDaemon(owner.hello, newcomer.hello) && this.#recentDisplacements() < MAX_DISPLACEMENTS) {
      this.#displacedAt.push(this.#clock.monotonic());
    } else if (await owner.probe(LIMITS.probeMs)) {
      return duplicate(owner, newcomer);
    }
    owner.displace(`a newer connection of this worker came from ${place(newcomer)}`);
    return undefined;
  }

  #recentDisplacements(): number {
    const since = this.#clock.monotonic() - WINDOW_MS;
    while (this.#displacedAt[0] !== undefined && this.#displacedAt[0] <= since) this.#displacedAt.shift();
    return this.#displacedAt.length;
  }
}

function isSameDaemon(one: Fields<'hello'>, other: Fields<'hello'>): boolean {
  return one.installId === other.installId && one.bootId === other.bootId && one.processId === other.processId;
}

function duplicate(owner: Newcomer, newcomer: Newcomer): Fields<'goodbye'> {
  const why =
    owner.hello.installId === newcomer.hello.installId
      ? 'both have one install id: was its folder copied? Stop the copy, and make a worker of its own with "worker init"'
      : 'stop one of them, or give each a name and a key of its own';
  const message =
    `worker ${newcomer.hello.worker} is connected already from ${place(owner)} and answers; ` +
    `this is ${place(newcomer)}; ${why}`;
  return { code: 'duplicate-worker', message: message.slice(0, 1_000), retryAfterMs: WINDOW_MS };
}

function place({ hello, peer }: Newcomer): string {
  const folder = hello.facts['folder'];
  return `host ${hello.host}${folder === undefined ? '' : `, folder ${folder}`} (${peer})`;
}
