import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { KeyProofPlace } from '../../protocol/key-proof.ts';
import type { Fields } from '../../protocol/messages.ts';
import { proveKey, provenKey } from '../../transport/key-proof.ts';
import { fingerprint } from '../../transport/keys.ts';
import type { MasterLink } from '../../transport/link.ts';
import type { KeyRenewals } from './key-renewals.ts';
import type { KeyRing } from './key-ring.ts';

export interface ConnectionKeysOptions {
  readonly logger: Logger;
  readonly hello: Fields<'hello'>;
  readonly link: MasterLink;
  readonly masterId: string;
  readonly epoch: number;
  /** The blob of the key of this login; undefined where nobody logged in by one. */
  readonly loginKey?: string;
  readonly keyRing: KeyRing;
  readonly renewals: KeyRenewals;
}

/** What is said about keys on one connection of a worker. */
export class ConnectionKeys {
  readonly #options: ConnectionKeysOptions;
  readonly #place: KeyProofPlace;

  constructor(options: ConnectionKeysOptions) {
    this.#options = options;
    const { masterId, epoch } = options;
    const { worker, installId, processId } = options.hello;
    this.#place = { masterId, worker, installId, processId, epoch };
  }

  get knowsRotation(): boolean {
    return this.#options.hello.capabilities.includes('rotate');
  }

  /** Says which host keys this master has, and which it uses no more. */
  tellHostKeys(): void {
    const { link, keyRing } = this.#options;
    if (!this.knowsRotation) return;
    const { keys, retired } = keyRing.hostKeys();
    const proven = keys.flatMap((key) => proveKey('hostkeys', key, this.#place) ?? []);
    link.send('hostkeys', '', { keys: proven, retired });
  }

  async held({ keys }: Fields<'hostkeys.held'>): Promise<void> {
    await this.#options.keyRing.hostKeysHeld(this.#options.hello.worker, keys);
  }

  renew(): void {
    this.#options.link.send('key.renew', '', {});
  }

  async offered(fields: Fields<'key.new'>): Promise<void> {
    const { hello, link, logger, renewals } = this.#options;
    const { publicKey } = fields;
    const refused = await this.#admit(fields);
    if (refused !== undefined) {
      logger.warn('the next key of a worker was refused', { worker: hello.worker, peer: link.peer, message: refused });
      renewals.tell(hello.worker, { outcome: 'refused', message: refused });
    }
    link.send('key.known', '', { publicKey, ...(refused !== undefined && { refused }) });
  }

  /** The inventory is answered: the worker lives with the key that it came with. */
  ready(): void {
    const { hello, loginKey, keyRing, renewals, logger } = this.#options;
    this.tellHostKeys();
    if (loginKey === undefined) return;
    keyRing.settleKey(hello.worker, loginKey).then(
      (isSettled) => {
        if (isSettled) {
          return renewals.tell(hello.worker, { outcome: 'rotated', fingerprint: fingerprint({ blob: loginKey }) });
        }
        // It was killed before it had made one.
        if (renewals.isAwaited(hello.worker) && this.knowsRotation) this.renew();
      },
      (error: unknown) => {
        // Nothing is lost: both keys are let in until the worker comes the next time.
        logger.error('the old key of a worker is still let in', { worker: hello.worker, error: errorText(error) });
      },
    );
  }

  async #admit(fields: Fields<'key.new'>): Promise<string | undefined> {
    const { hello, keyRing, loginKey } = this.#options;
    const next = provenKey('key.new', fields, this.#place);
    if (!next) return 'its proof is not right for this connection';
    if (loginKey === undefined) return 'this connection was not opened by a key';
    return await keyRing.admitNextKey(hello.worker, loginKey, next);
  }
}
