import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Moment } from '../../base/moment.ts';
import type { Fields, Message } from '../../protocol/messages.ts';
import type { Carrier } from '../../transport/carrier.ts';
import type { SshPrivateKey } from '../../transport/keys.ts';
import type { Link, Vitals } from '../../transport/link.ts';
import type { Way } from '../../transport/way.ts';
import { openWorkerLink } from '../../transport/worker-link.ts';
import { HostKeyExchange } from '../keys/host-key-exchange.ts';
import { KeyExchange } from '../keys/key-exchange.ts';
import type { TrustedHostKeys } from '../keys/trusted-host-keys.ts';
import type { WorkerKeys } from '../keys/worker-keys.ts';
import type { WorkerDir } from '../worker-dir.ts';
import { connectToMaster, isFarewell, isRefusedLogin, needsPerson } from './connect.ts';
import { Masters } from './masters.ts';
import type { Ended } from './masters.ts';

export interface LinkOpenerOptions {
  readonly dir: WorkerDir;
  readonly keys: WorkerKeys;
  readonly hostKeys: TrustedHostKeys;
  readonly way: Way;
  readonly hello: Fields<'hello'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How to reach a master and log in with a key; by SSH as the folder says if not given. */
  readonly connect: ((key: SshPrivateKey) => Promise<Carrier>) | undefined;
  readonly vitals: () => Vitals;
  /** The master has answered what was sent at that moment; the next ping follows within `pingMs`. */
  readonly seen: (sentAt: Moment, pingMs: number) => void;
  /** The worker stops: nothing is opened any more. */
  readonly signal: AbortSignal;
}

/** A link with what is said on it beside the work. */
export interface OpenedLink {
  readonly peer: string;
  readonly link: Link;
  readonly exchange: KeyExchange;
  /** Hears what is none of the work's business. */
  readonly onOther: (message: Message) => void;
  /** To be told how it ended: whether it was of use, and when its master wants to be asked again. */
  readonly ended: Ended;
}

interface Login {
  readonly carrier: Carrier;
  readonly key: SshPrivateKey;
}

/** Opens link after link to a master; one also ahead of its time, while another one serves. */
export class LinkOpener {
  readonly #options: LinkOpenerOptions;
  readonly #masters: Masters;
  #ahead: Promise<OpenedLink> | undefined;

  constructor(options: LinkOpenerOptions) {
    this.#options = options;
    this.#masters = new Masters({
      addresses: options.dir.masters,
      clock: options.clock,
      isFinal: (error) => options.signal.aborted || isFarewell(error),
      needsPerson,
    });
  }

  /** One is being opened, or is open, that `open` will give. */
  get hasAhead(): boolean {
    return this.#ahead !== undefined;
  }

  /** Connects, logs in and greets; `tell` hears of the masters that failed before one was found. */
  async open(tell: (failure: unknown) => void): Promise<OpenedLink> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return await (ahead ?? this.#connect(tell));
  }

  /**
   * Opens the next link beside the present one, which the master ends when it has welcomed the new one. Should that fail, the
   * present one is ended, so that the next try is as any other.
   */
  openAhead(present: Link): void {
    if (this.#ahead) return;
    const { logger } = this.#options;
    const ahead = this.#connect((failure) => logger.warn(errorText(failure)));
    this.#ahead = ahead;
    ahead.catch((error: unknown) => {
      if (this.#ahead !== ahead) return;
      this.#ahead = undefined;
      logger.warn(`could not come anew beside the present connection: ${errorText(error)}`);
      present.close({ code: 'stopping', message: 'the worker comes anew with its next key', retryAfterMs: 0 });
    });
  }

  /** Lets go of what was opened for nobody. */
  close(): void {
    this.#ahead?.then(({ link }) => link.destroy('the worker stops')).catch(() => undefined); // Nobody waits for it.
  }

  #connect(tell: (failure: unknown) => void): Promise<OpenedLink> {
    const { connect, hostKeys } = this.#options;
    if (connect) return this.#greet(this.#login(connect), () => undefined);
    return this.#masters.open((address, ended) => {
      const login = this.#login((key) =>
        connectToMaster(address, { ...this.#options, hostKeys: hostKeys.trusted, privateKey: key.privateKey }),
      );
      return this.#greet(login, ended);
    }, tell);
  }

  async #greet(login: Promise<Login>, ended: Ended): Promise<OpenedLink> {
    const { dir, keys, hostKeys, clock, logger, hello, vitals, seen, signal } = this.#options;
    const { carrier, key } = await this.#unlessStopped(login);
    const giveUp = (): void => carrier.destroy('the worker stops');
    signal.addEventListener('abort', giveUp);
    try {
      const { link, welcome } = await openWorkerLink(carrier, { hello, clock, logger, vitals, seen });
      // Before the inventory: after that the master lets the old one in no more.
      if (await keys.welcomed(key)) logger.info(`the worker has a new key: ${key.fingerprint}`);
      const { masterId, epoch } = welcome;
      const place = { masterId, epoch, worker: dir.name, installId: dir.installId, processId: hello.processId };
      const onKnown = (): void => this.openAhead(link);
      const exchange = new KeyExchange({ keys, link, place, onKnown, logger });
      const hosts = new HostKeyExchange({ hostKeys, link, place, shown: carrier.hostKey, logger });
      const onOther = (message: Message): void => {
        exchange.onMessage(message);
        hosts.onMessage(message);
      };
      return { peer: link.peer, link, exchange, onOther, ended };
    } catch (error) {
      carrier.destroy('the worker could not begin');
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** With the worker's key, or the one that takes its place. */
  async #login(connect: (key: SshPrivateKey) => Promise<Carrier>): Promise<Login> {
    let telling: unknown;
    for (const key of this.#options.keys.candidates()) {
      try {
        return { carrier: await connect(key), key };
      } catch (error) {
        if (!isRefusedLogin(error)) throw error;
        telling ??= error;
      }
    }
    throw telling;
  }

  /** A login under way may take long to fail: a stop does not wait for it, and nothing uses what it opens. */
  async #unlessStopped(connecting: Promise<Login>): Promise<Login> {
    const { signal } = this.#options;
    const stopped = deferred<Login>();
    const stop = (): void => stopped.reject(new Error('the worker stops'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
    try {
      return await Promise.race([connecting, stopped.promise]);
    } catch (error) {
      // Whether it fails as well is of no matter now.
      connecting.then(({ carrier }) => carrier.destroy('the worker stops')).catch(() => undefined);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
