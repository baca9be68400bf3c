/** Whoever came with an open code. */
export interface Invited {
  /** The worker that the machine may become. */
  readonly name: string;
  /** SHA-256 of the code, in hex: what the invitation is found by. */
  readonly codeHash: string;
}

/** Decides by the code, in constant time over the open invitations. The text of a refusal is for the master's log alone. */
export type AdmitInvited = (code: string) => Invited | { readonly refused: string };

/** How a one-time code begins as an SSH user name: names of workers and people have no `+`. */
export const CODE_PREFIX = 'join+';

export function isCode(user: string): boolean {
  return user.startsWith(CODE_PREFIX);
}

/** A user name as it may be logged: a code is a secret, also one that is not good any more. */
export function withoutCode(user: string): string {
  return isCode(user) ? `${CODE_PREFIX}…` : user;
}

export interface InvitedLimits {
  /** An invited machine's connections at a time, the channels of one, how long it may stay, and all it may send. */
  readonly connectionsOfInvited: number;
  readonly channelsOfInvited: number;
  readonly invitedMs: number;
  readonly bytesOfInvited: number;
}
