import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { KeyProofPlace } from '../../protocol/key-proof.ts';
import type { Fields, Message } from '../../protocol/messages.ts';
import { proveKey } from '../../transport/key-proof.ts';
import type { Link } from '../../transport/link.ts';
import type { WorkerKeys } from './worker-keys.ts';

export interface KeyExchangeOptions {
  readonly keys: WorkerKeys;
  readonly link: Link;
  readonly place: KeyProofPlace;
  /** The master lets the next key in: connect anew with it. */
  readonly onKnown: () => void;
  readonly logger: Logger;
}

/** What is said about the worker's own key on one link. */
export class KeyExchange {
  readonly #options: KeyExchangeOptions;

  constructor(options: KeyExchangeOptions) {
    this.#options = options;
  }

  /** A next key that is there already was made before a crash: it is offered again. */
  start(): void {
    if (this.#options.keys.next) this.renew();
  }

  /** Makes the next key, if there is none, and offers it. */
  renew(): void {
    this.#renew().catch((error: unknown) => {
      this.#options.logger.error(`the key could not be changed: ${errorText(error)}`);
    });
  }

  onMessage(message: Message): void {
    if (message.type === 'key.renew') this.renew();
    else if (message.type === 'key.known') {
      this.#onKnown(message.fields).catch((error: unknown) => {
        this.#options.logger.error(`the next key could not be taken: ${errorText(error)}`);
      });
    }
  }

  async #renew(): Promise<void> {
    const { keys, link, place } = this.#options;
    const proven = proveKey('key.new', await keys.makeNext(), place);
    if (proven) link.send('key.new', '', proven);
  }

  async #onKnown({ publicKey, refused }: Fields<'key.known'>): Promise<void> {
    const { keys, logger, onKnown } = this.#options;
    const { next } = keys;
    // Of one that was given up, or is in its place already.
    if (!next || publicKey !== `${next.publicKey.type} ${next.publicKey.blob}`) return;
    if (refused !== undefined) {
      logger.warn(`the master keeps the worker's old key: ${refused}`);
      return await keys.refused(refused);
    }
    keys.nextIsKnown();
    onKnown();
  }
}
