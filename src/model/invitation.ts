/** An operator's word that the machine which brings the code becomes this worker. One a worker; a new one takes its place. */
export interface Invitation {
  readonly worker: string;
  /** SHA-256 of the one-time code, in hex: the code itself is kept nowhere. */
  readonly codeHash: string;
  readonly invitedBy: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
  /** The worker is admitted already, and gets one key more. */
  readonly isForKnown: boolean;
  /** When a key was admitted by it, and the fingerprint of that key. */
  readonly used?: { readonly atMs: number; readonly key: string };
}

/** Open at a time: one hundred machines may be on their way. */
export const MAX_OPEN_INVITATIONS = 100;

export function isOpen({ used, expiresAtMs }: Pick<Invitation, 'used' | 'expiresAtMs'>, nowMs: number): boolean {
  return used === undefined && nowMs < expiresAtMs;
}
