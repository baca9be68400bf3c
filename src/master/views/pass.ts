import type { Role } from '../../model/principal.ts';

/** A link that signs one browser in, once. */
export interface LoginView {
  readonly url: string;
  readonly expiresAtMs: number;
}

export interface TokenView {
  readonly id: string;
  readonly who: string;
  readonly label: string;
  /** The most it may; never more than its person. */
  readonly role: Exclude<Role, 'worker'>;
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
}

/** The only time that the token itself is told. */
export interface NewTokenView extends TokenView {
  readonly token: string;
}

export interface TokenWish {
  readonly label: string;
  /** Up to the asker's own; `reader` if nothing is said. */
  readonly role?: string;
  /** A duration, `90d` if nothing is said. */
  readonly expires?: string;
}
