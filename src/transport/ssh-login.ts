import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { sleep } from '../base/sleep.ts';
import { isCode, withoutCode } from './invited.ts';
import type { AdmitInvited, Invited } from './invited.ts';
import { fingerprint } from './keys.ts';
import type { LoginPenalty } from './login-penalty.ts';
import type { PrincipalPlaces } from './principal-places.ts';
import type { StrangerLog } from './stranger-log.ts';

/** Whom a key belongs to. */
export interface SshPrincipal {
  readonly name: string;
  /** `worker` opens Trunkline's subsystems; every other role runs verbs. */
  readonly role: string;
}

export type Refusal = { readonly refused: string };

/** Decides by name and key, in constant time over the known keys. The text of a refusal is for the master's log alone. */
export type Authenticate<P extends SshPrincipal> = (
  name: string,
  key: { readonly type: string; readonly blob: string },
  address: string,
) => P | Refusal | Promise<P | Refusal>;

/** ssh2's authentication context, of any method. */
export interface LoginRequest {
  readonly username: string;
  readonly method: string;
  readonly key?: { readonly algo: string; readonly data: Buffer };
  readonly signature?: Buffer;
  readonly blob?: Buffer;
  readonly hashAlgo?: string;
  accept(): void;
  reject(methodsLeft?: 'publickey'[]): void;
}

export interface LoginOptions<P extends SshPrincipal> {
  readonly address: string;
  readonly maxTries: number;
  readonly clock: Clock;
  readonly strangers: StrangerLog;
  readonly places: PrincipalPlaces;
  readonly penalty: LoginPenalty;
  readonly authenticate: Authenticate<P>;
  /** Absent: nobody is invited. */
  readonly admitInvited?: AdmitInvited;
  /** Whether the signature is good; anything but true is not. */
  readonly isSigned: (request: LoginRequest) => boolean;
  readonly sendBanner: (text: string) => void;
  /** Ends the connection. */
  readonly giveUp: (reason: string) => void;
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal;
}

/** What may sign: no SHA-1. */
const ALGORITHMS: ReadonlyMap<string, readonly (string | undefined)[]> = new Map([
  ['ssh-ed25519', [undefined]],
  ['ecdsa-sha2-nistp256', [undefined, 'sha256']],
  ['ecdsa-sha2-nistp384', [undefined, 'sha384']],
  ['ecdsa-sha2-nistp521', [undefined, 'sha512']],
  ['ssh-rsa', ['sha256', 'sha512']],
]);

/**
 * One connection's way to being logged in. A client asks twice, whether a key would do and then with a signature; the whole
 * check is made both times, so that nothing hangs on what was said before.
 */
export class SshLogin<P extends SshPrincipal> {
  readonly #options: LoginOptions<P>;
  readonly #refusedKeys = new Set<string>();
  #tries = 0;
  #hasAsked = false;
  principal: P | undefined;
  /** Came with a code instead of a key. */
  invited: Invited | undefined;

  constructor(options: LoginOptions<P>) {
    this.#options = options;
  }

  async answer(request: LoginRequest): Promise<void> {
    const { signal } = this.#options;
    if (isCode(request.username)) return await this.#answerCode(request);
    // Asks which methods there are; every client begins with it. Again and again it is a flood.
    if (request.method === 'none' && !this.#hasAsked) {
      this.#hasAsked = true;
      return request.reject(['publickey']);
    }
    const verdict = await this.#judge(request);
    if (signal.aborted) return;
    if ('principal' in verdict) {
      if (request.signature && !this.#enter(verdict.principal)) return request.reject(['publickey']);
      return request.accept();
    }
    const key = request.key ? fingerprint({ blob: request.key.data }) : request.method;
    const banner = `"${printable(request.username)}" with the key ${key} is not admitted here; an operator can admit the key.`;
    await this.#holdBack(request, key, verdict.refused);
    if (!signal.aborted) this.#refuse(request, key, request.key && banner);
  }

  /** The code comes as the user name, and is all that is asked for. */
  async #answerCode(request: LoginRequest): Promise<void> {
    const { signal, admitInvited } = this.#options;
    const verdict =
      request.method === 'none' && admitInvited
        ? admitInvited(request.username)
        : { refused: `a code has no ${request.method}` };
    if (!('refused' in verdict)) {
      this.invited = verdict;
      return request.accept();
    }
    await this.#holdBack(request, request.method, verdict.refused);
    if (!signal.aborted) this.#refuse(request, request.method, NOT_OPEN);
  }

  async #holdBack(request: LoginRequest, key: string, reason: string): Promise<void> {
    const { signal, strangers, address, clock, penalty } = this.#options;
    const name = withoutCode(request.username);
    const told = isCode(request.username) ? name : printable(name);
    strangers.tell('warn', 'login refused', { name: told, address, key, reason });
    await sleep(clock, penalty.failed(address, name, key), signal);
  }

  /** False when the principal has too many connections; the client is told, for it has proved who it is. */
  #enter(principal: P): boolean {
    const { places, signal, sendBanner, strangers, address } = this.#options;
    const place = places.take(principal);
    if ('refused' in place) {
      strangers.tell('warn', 'login refused', { name: principal.name, address, reason: place.refused });
      sendBanner(`trunkline: ${place.refused}`);
      return false;
    }
    signal.addEventListener('abort', place, { once: true });
    this.principal = principal;
    return true;
  }

  async #judge(request: LoginRequest): Promise<{ readonly principal: P } | Refusal> {
    const { key } = request;
    if (request.method !== 'publickey' || !key) return { refused: `the method ${request.method} is not allowed` };
    if (!ALGORITHMS.get(key.algo)?.includes(request.hashAlgo)) {
      return {
        refused: `keys of type ${printable(key.algo)} are not accepted${key.algo === 'ssh-rsa' ? ' with SHA-1' : ''}`,
      };
    }
    try {
      if (request.signature && !this.#options.isSigned(request)) return { refused: 'the signature is wrong' };
      const found = await this.#options.authenticate(
        request.username,
        { type: key.algo, blob: key.data.toString('base64') },
        this.#options.address,
      );
      return 'refused' in found ? found : { principal: found };
    } catch (error) {
      return { refused: `the check failed: ${errorText(error)}` };
    }
  }

  /** The same words for a wrong name and a wrong key: a stranger learns no names. One banner, however many keys are tried. */
  #refuse(request: LoginRequest, key: string, banner: string | undefined): void {
    this.#tries++;
    if (banner !== undefined && this.#refusedKeys.size === 0) this.#options.sendBanner(`trunkline: ${banner}`);
    this.#refusedKeys.add(key);
    if (this.#tries >= this.#options.maxTries) return this.#options.giveUp('too many failed logins');
    request.reject(['publickey']);
  }
}

const NOT_OPEN =
  'this invitation is not open: it was used up, has expired or was taken back; ask an operator for a new one.';

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 64);
}
