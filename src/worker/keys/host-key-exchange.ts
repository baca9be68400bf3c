import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { KeyProofPlace } from '../../protocol/key-proof.ts';
import type { Fields, Message } from '../../protocol/messages.ts';
import { provenKey } from '../../transport/key-proof.ts';
import { fingerprint } from '../../transport/keys.ts';
import type { Link } from '../../transport/link.ts';
import type { TrustedHostKeys } from './trusted-host-keys.ts';

export interface HostKeyExchangeOptions {
  readonly hostKeys: TrustedHostKeys;
  readonly link: Link;
  readonly place: KeyProofPlace;
  /** The fingerprint that the connection was opened with. */
  readonly shown: string | undefined;
  readonly logger: Logger;
}

/** What the master says about its host keys on one link. */
export class HostKeyExchange {
  readonly #options: HostKeyExchangeOptions;

  constructor(options: HostKeyExchangeOptions) {
    this.#options = options;
  }

  onMessage(message: Message): void {
    if (message.type !== 'hostkeys') return;
    this.#learn(message.fields).catch((error: unknown) => {
      this.#options.logger.error(`the master's host keys could not be noted: ${errorText(error)}`);
    });
  }

  async #learn({ keys, retired }: Fields<'hostkeys'>): Promise<void> {
    const { hostKeys, link, place, shown, logger } = this.#options;
    const proven = keys.flatMap((key) => provenKey('hostkeys', key, place) ?? []).map(fingerprint);
    if (proven.length < keys.length) logger.warn('the master named host keys without the right proof: not trusted');
    const before = hostKeys.trusted.join(', ');
    const trusted = await hostKeys.learn({ proven, retired, shown });
    if (trusted.join(', ') !== before) logger.info(`host keys that are trusted now: ${trusted.join(', ')}`);
    link.send('hostkeys.held', '', { keys: trusted });
  }
}
