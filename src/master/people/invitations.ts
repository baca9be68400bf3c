import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { MAX_OPEN_INVITATIONS, isOpen } from '../../model/invitation.ts';
import type { Invitation } from '../../model/invitation.ts';
import { MAX_KEYS } from '../../model/principal.ts';
import type { PublicKey } from '../../model/principal.ts';
import { StoreError } from '../../store/store.ts';
import type { Store } from '../../store/store.ts';
import { CODE_PREFIX } from '../../transport/invited.ts';
import type { Invited } from '../../transport/invited.ts';
import { fingerprint } from '../../transport/keys.ts';
import { OperatorError } from '../operator.ts';
import type { People } from './people.ts';

export interface InvitationsOptions {
  readonly store: Store;
  readonly people: Pick<People, 'change' | 'onRemoved'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const CODE_BYTES = 16;
const NO_HASH = Buffer.alloc(32);

/** Which machines may become workers by a one-time code: in memory as in the store, so that a stranger's guess costs no query. */
export class Invitations {
  readonly #options: InvitationsOptions;
  #all: readonly Invitation[] = [];

  private constructor(options: InvitationsOptions) {
    this.#options = options;
  }

  static async open(options: InvitationsOptions): Promise<Invitations> {
    const invitations = new Invitations(options);
    // With a worker that is revoked its invitation went.
    options.people.onRemoved(() => invitations.#reread());
    await invitations.#read();
    return invitations;
  }

  /** Those that are open, by worker. */
  open(): readonly Invitation[] {
    const nowMs = this.#options.clock.now();
    return this.#all.filter((one) => isOpen(one, nowMs));
  }

  /** Makes one, in the place of an earlier one of that worker; the code is told here and never again. */
  async add(invitation: Omit<Invitation, 'used' | 'codeHash' | 'atMs'>): Promise<string> {
    const { store, clock } = this.#options;
    const code = `${CODE_PREFIX}${randomBytes(CODE_BYTES).toString('hex')}`;
    try {
      await store.invitations.add({ ...invitation, codeHash: hashOf(code).toString('hex'), atMs: clock.now() });
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
      const message = `${MAX_OPEN_INVITATIONS} invitations are open, which is all there may be: take one back with "worker uninvite"`;
      throw new OperatorError('conflict', message, { cause: error });
    }
    await this.#read();
    return code;
  }

  async remove(worker: string): Promise<void> {
    try {
      await this.#options.store.invitations.remove(worker);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
      const message = `no invitation of ${worker} is open; "worker invitations" lists them`;
      throw new OperatorError('not-found', message, { cause: error });
    }
    await this.#read();
  }

  /** Every one is compared, and one even when there is none, so that time tells nothing. */
  admit(code: string): Invited | { readonly refused: string } {
    const hash = hashOf(code);
    let found: Invitation | undefined;
    for (const one of this.#all) if (timingSafeEqual(Buffer.from(one.codeHash, 'hex'), hash)) found = one;
    if (this.#all.length === 0) timingSafeEqual(NO_HASH, hash);
    if (!found) return { refused: 'no invitation has this code' };
    const { worker, used, codeHash } = found;
    if (used) return { refused: `the invitation of ${worker} was used up by the key ${used.key}` };
    if (!isOpen(found, this.#options.clock.now())) return { refused: `the invitation of ${worker} has expired` };
    return { name: worker, codeHash };
  }

  /** Admits the key of the machine that came with the code; uses the invitation up. Resolves to who had invited it; throws an OperatorError for that machine. */
  async enrol({ name, codeHash }: Invited, key: PublicKey): Promise<string> {
    const { store, people, clock, logger } = this.#options;
    const by = { codeHash, key, fingerprint: fingerprint(key), atMs: clock.now(), maxKeys: MAX_KEYS };
    try {
      const invitedBy = await people.change(() => store.invitations.enrol(by));
      logger.info('a worker was enrolled', { worker: name, key: by.fingerprint });
      return invitedBy;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === 'conflict') throw new OperatorError('conflict', `the key cannot be let in: ${error.message}`);
      if (error.code === 'lost-claim') throw new OperatorError('conflict', await this.#whyLost(name, codeHash));
      throw error;
    } finally {
      await this.#read();
    }
  }

  async #whyLost(name: string, codeHash: string): Promise<string> {
    const now = (await this.#options.store.invitations.list()).find((one) => one.codeHash === codeHash);
    if (!now?.used) return `the invitation of ${name} is not open any more; ask an operator for a new one`;
    return `another machine was faster and is ${name} now, with the key ${now.used.key}; ask an operator for a name of your own`;
  }

  #reread(): void {
    this.#read().catch((error: unknown) => {
      // None lets anybody in by it: the store has the last word.
      this.#options.logger.error('could not read the invitations', { error: errorText(error) });
    });
  }

  async #read(): Promise<void> {
    this.#all = await this.#options.store.invitations.list();
  }
}

function hashOf(code: string): Buffer {
  return createHash('sha256').update(code).digest();
}
