import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { errorText } from '../../base/errors.ts';
import { Gate } from '../../base/gate.ts';
import type { Logger } from '../../base/logger.ts';
import { sleep } from '../../base/sleep.ts';
import type { CreditPool } from '../../protocol/credit.ts';
import type { Fields } from '../../protocol/messages.ts';
import type { Store } from '../../store/store.ts';
import type { Carrier } from '../../transport/carrier.ts';
import type { MasterLink, Vitals } from '../../transport/link.ts';
import { openMasterLink } from '../../transport/master-link.ts';
import { keepsLeases } from './worker-leases.ts';
import type { HeldLeases, Pace } from './held-leases.ts';
import { Attachment, endText } from './attachment.ts';
import type { CommandBoard } from './command-board.ts';
import type { KeyRenewals } from './key-renewals.ts';
import type { KeyRing } from './key-ring.ts';
import { MASK } from './outcomes.ts';
import { OneOwner } from './one-owner.ts';
import type { Claimant } from './one-owner.ts';

export interface ReceptionOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly masterId: string;
  readonly filesDir: string;
  readonly creditPool: CreditPool;
  readonly keyRing: KeyRing;
  readonly renewals: KeyRenewals;
  /** Whether a name that has logged in is still a worker's. */
  readonly isAdmitted?: (worker: string) => boolean;
  /** Instead of what the configuration says, for measurements. */
  readonly pace?: Pace;
  readonly held: HeldLeases;
  readonly board: CommandBoard;
  /** What must be done before the first worker is let in. */
  readonly prepared: Promise<void>;
  readonly onChange: (worker: string) => void;
}

/** The connection that is the worker now: from its admission, before its welcome is even sent. */
interface Owner extends Claimant {
  readonly epoch: number;
  /** The blob of the key that it logged in with. */
  readonly loginKey: string | undefined;
  readonly pace: Pace;
  readonly carrier: Carrier;
  /** Resolves when `link` is there. */
  readonly opened: Deferred<void>;
  link?: MasterLink;
  attachment?: Attachment;
}

/** The connection of the moment. */
export interface WorkerConnection {
  /** Its address. */
  readonly peer: string;
  readonly epoch: number;
  /** Of SSH. */
  readonly channels: number;
  /** Open on it. */
  readonly sessions: number;
}

/** A worker that is being told goodbye. */
export interface Dismissed {
  /** Resolves when its connection is gone: it has read the goodbye, or was given the time for it. */
  readonly closed: Promise<unknown>;
}

/** What a name keeps between connections. */
interface Door {
  readonly rule: OneOwner;
  owner: Owner | undefined;
  /** By the monotonic clock: when a byte came last of a connection that is gone, or its hello was answered. */
  heardAtMs: number;
  /** Newcomers are judged one after another. */
  readonly turn: Gate;
}

/** Stopping masters are back soon; workers come again between half of this and all of it. */
const RETRY_AFTER_STOP_MS = 2_000;
/** For what is queued, the goodbye at the end of it. */
const CLOSE_GRACE_MS = 2_000;

/** For nobody: the line is gone. */
const GONE: Fields<'goodbye'> = { code: 'unexpected', message: 'the connection ended before the worker was judged' };

/** Lets workers in: greets, judges by the one-owner rule, stores the epoch before the welcome, and knows who is here. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #doors = new Map<string, Door>();
  readonly #ready = new Set<string>();
  readonly #endings = new Set<Promise<void>>();
  /** Logged in, but not welcomed yet. */
  readonly #greeting = new Set<Carrier>();
  #goodbye: Fields<'goodbye'> | undefined;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    // Each admission waits for it and tells its worker; until the first one nobody may be listening.
    options.prepared.catch(() => undefined);
  }

  ready(): ReadonlySet<string> {
    return new Set(this.#ready);
  }

  attachment(worker: string): Attachment | undefined {
    return this.#doors.get(worker)?.owner?.attachment;
  }

  /** Of the connection of the moment. */
  epoch(worker: string): number | undefined {
    return this.#doors.get(worker)?.owner?.epoch;
  }

  /** Of a worker that is ready. */
  bootId(worker: string): string | undefined {
    return this.#ready.has(worker) ? this.#doors.get(worker)?.owner?.hello.bootId : undefined;
  }

  canMask(worker: string): boolean {
    return this.#doors.get(worker)?.owner?.hello.capabilities.includes(MASK) === true;
  }

  /** When a byte of the worker came last, by the monotonic clock; undefined: not since this master began. */
  heardAtMs(worker: string): number | undefined {
    const door = this.#doors.get(worker);
    if (!door) return undefined;
    const heardAtMs = Math.max(door.heardAtMs, door.owner?.link?.heardAtMs() ?? -Infinity);
    return heardAtMs === -Infinity ? undefined : heardAtMs;
  }

  /** Ends all connections that ping less often than this: they are to come again and hear the new pace. */
  hasten(heartbeatMs: number): void {
    for (const { owner } of this.#doors.values()) {
      if (!owner || owner.pace.heartbeatMs <= heartbeatMs) continue;
      const message = 'the heartbeat of the configuration is shorter now: come again';
      this.#sayGoodbye(owner, { code: 'drain', message, retryAfterMs: RETRY_AFTER_STOP_MS });
    }
  }

  connection(worker: string): WorkerConnection | undefined {
    const owner = this.#doors.get(worker)?.owner;
    if (!owner?.link || !this.#ready.has(worker)) return undefined;
    const { peer, epoch, link, attachment } = owner;
    return { peer, epoch, channels: link.stats().channels, sessions: attachment?.sessions ?? 0 };
  }

  vitals(worker: string): Vitals | undefined {
    return this.#doors.get(worker)?.owner?.link?.vitals();
  }

  /** Nothing of the worker counts from here on. Undefined when there is none to be told. */
  dismiss(worker: string, goodbye: Fields<'goodbye'>): Dismissed | undefined {
    const door = this.#doors.get(worker);
    if (!door?.owner) return undefined;
    const { owner } = door;
    this.#leave(door, owner);
    this.#sayGoodbye(owner, goodbye);
    return { closed: owner.carrier.closed };
  }

  accept(name: string, carrier: Carrier, loginKey?: string): void {
    const { logger } = this.#options;
    const ending = this.#serve(name, carrier, loginKey).catch((error: unknown) => {
      logger.warn('a worker was not let in', { worker: name, peer: carrier.peer, error: errorText(error) });
      carrier.end(errorText(error), CLOSE_GRACE_MS);
    });
    this.#endings.add(ending);
    void ending.then(() => this.#endings.delete(ending));
  }

  async close(message: string): Promise<void> {
    this.#goodbye = { code: 'stopping', message: message.slice(0, 1_000), retryAfterMs: RETRY_AFTER_STOP_MS };
    for (const { owner } of this.#doors.values()) if (owner) this.#sayGoodbye(owner, this.#goodbye);
    for (const carrier of this.#greeting) carrier.end(message, CLOSE_GRACE_MS);
    await Promise.allSettled([this.#options.prepared, ...this.#endings]);
  }

  #sayGoodbye(owner: Owner, goodbye: Fields<'goodbye'>): void {
    if (owner.link) owner.link.close(goodbye);
    else owner.carrier.end(goodbye.message, CLOSE_GRACE_MS);
  }

  /** A whole connection; resolves after its end is stored. */
  async #serve(name: string, carrier: Carrier, loginKey: string | undefined): Promise<void> {
    const { clock, logger, creditPool, masterId, store } = this.#options;
    const door = this.#door(name);
    let owner: Owner | undefined;
    let isGone = false;
    void carrier.closed.then(() => (isGone = true));
    this.#greeting.add(carrier);
    try {
      const { link } = await openMasterLink(carrier, {
        clock,
        logger,
        principalName: name,
        creditPool,
        admit: async (hello) => {
          const admitted = await door.turn.pass(async () =>
            // Its turn may come late: who is gone by then may push nobody away.
            isGone ? { goodbye: GONE } : await this.#admit(door, hello, carrier, loginKey),
          );
          if ('goodbye' in admitted) return admitted;
          owner = admitted;
          return { epoch: admitted.epoch, masterId, ...admitted.pace };
        },
      });
      this.#greeting.delete(carrier);
      if (!owner) throw new Error('a link was opened that was not admitted');
      this.#open(door, owner, link);
      const end = await link.closed;
      logger.info('a worker is gone', { worker: name, peer: carrier.peer, why: endText(end) });
    } finally {
      this.#greeting.delete(carrier);
      if (owner) {
        this.#leave(door, owner);
        await store.workers.detach(name, owner.epoch, clock.now());
      }
    }
  }

  async #admit(
    door: Door,
    hello: Fields<'hello'>,
    carrier: Carrier,
    loginKey: string | undefined,
  ): Promise<Owner | { readonly goodbye: Fields<'goodbye'> }> {
    const { store, clock, logger, prepared, held } = this.#options;
    await prepared;
    const refused = (): Fields<'goodbye'> | undefined => {
      const isAdmitted = this.#options.isAdmitted?.(hello.worker) ?? true;
      return this.#goodbye ?? (isAdmitted ? undefined : { code: 'revoked', message: 'it was withdrawn while it came' });
    };
    const goodbye = refused() ?? (await door.rule.judge(door.owner, { hello, peer: carrier.peer })) ?? refused();
    if (goodbye) {
      logger.warn('a worker was refused', {
        worker: hello.worker,
        peer: carrier.peer,
        code: goodbye.code,
        message: goodbye.message,
      });
      return { goodbye };
    }
    const { worker: name, installId, bootId, processId, host, version, facts, builds, term = processId } = hello;
    const counted = builds === undefined ? {} : { term: { id: term, builds } };
    const isAgain = door.heardAtMs !== -Infinity;
    const pace = this.#options.pace ?? (await held.paceOf(name));
    const epoch = await store.workers.attach(
      { name, installId, bootId, processId, host, version, facts, ...counted, isAgain },
      clock.now(),
    );
    // Before anything is started there.
    if (!keepsLeases(hello)) await held.put(name, Number.MAX_SAFE_INTEGER);
    door.heardAtMs = clock.monotonic();
    const owner: Owner = {
      epoch,
      loginKey,
      pace,
      hello,
      carrier,
      peer: carrier.peer,
      opened: deferred(),
      probe: (timeoutMs) => this.#probe(owner, timeoutMs),
      displace: (message) => {
        logger.info('a worker connected anew', { worker: name, message });
        this.#leave(door, owner);
        if (owner.link) owner.link.close({ code: 'replaced', message: message.slice(0, 1_000) });
        else carrier.destroy(message);
      },
    };
    door.owner = owner;
    return owner;
  }

  #open(door: Door, owner: Owner, link: MasterLink): void {
    const { onChange, logger } = this.#options;
    if (this.#goodbye || door.owner !== owner) {
      link.close(this.#goodbye ?? { code: 'replaced', message: 'a newer connection of this worker took over' });
      return;
    }
    const name = owner.hello.worker;
    owner.link = link;
    owner.opened.resolve();
    owner.attachment = new Attachment({
      ...this.#options,
      hello: owner.hello,
      epoch: owner.epoch,
      ...(owner.loginKey !== undefined && { loginKey: owner.loginKey }),
      link,
      isOwner: () => door.owner === owner,
      onLeave: () => onChange(name),
      onReady: () => {
        logger.info('a worker is here', { worker: name, peer: owner.peer, host: owner.hello.host, epoch: owner.epoch });
        this.#ready.add(name);
        onChange(name);
      },
    });
  }

  /** The connection is no longer the worker. */
  #leave(door: Door, owner: Owner): void {
    owner.attachment?.end();
    if (owner.link) door.heardAtMs = Math.max(door.heardAtMs, owner.link.heardAtMs());
    if (door.owner !== owner) return;
    door.owner = undefined;
    if (this.#ready.delete(owner.hello.worker)) this.#options.onChange(owner.hello.worker);
  }

  /** One that is still being welcomed has the same time to become a link that can be asked. */
  async #probe(owner: Owner, timeoutMs: number): Promise<boolean> {
    if (!owner.link) {
      const waiting = new AbortController();
      for (const event of [owner.opened.promise, owner.carrier.closed]) void event.then(() => waiting.abort());
      await sleep(this.#options.clock, timeoutMs, waiting.signal);
    }
    return (await owner.link?.probe(timeoutMs)) ?? false;
  }

  #door(name: string): Door {
    const known = this.#doors.get(name);
    if (known) return known;
    const door: Door = {
      rule: new OneOwner(this.#options.clock),
      owner: undefined,
      heardAtMs: -Infinity,
      turn: new Gate(1),
    };
    this.#doors.set(name, door);
    return door;
  }
}
