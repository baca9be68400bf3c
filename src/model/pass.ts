import type { Role } from './principal.ts';

/** `login`: a link that signs one browser in; `session`: a browser that is signed in; `token`: a program's. */
export type PassKind = 'login' | 'session' | 'token';

/** What stands for a person without a key of theirs: good for a while, and as long as the person is. */
export interface Pass {
  /** Names it; no secret. */
  readonly id: string;
  readonly kind: PassKind;
  readonly who: string;
  /** SHA-256 of its secret, in hex: the secret itself is kept nowhere. */
  readonly secretSha256: string;
  /** What the person calls it. */
  readonly label: string;
  /** The most it may, whatever its person may; absent: what its person may. */
  readonly role?: Exclude<Role, 'worker'>;
  /** Fingerprints of the keys that its person had when it was made: when one of them is withdrawn, it is over. A token has none. */
  readonly keys: readonly string[];
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
}
