export const ROLES = ['worker', 'reader', 'developer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Of one name. */
export const MAX_KEYS = 20;

/** One public key of a principal, as in an `authorized_keys` line. */
export interface PublicKey {
  /** `ssh-ed25519`, … */
  readonly type: string;
  /** The key blob, base 64. */
  readonly blob: string;
  readonly comment: string;
  /** The blob of the key whose place it takes at its first login: a worker changes its key. */
  readonly replaces?: string;
}

/** A worker or a person. One namespace: no two of one name, whatever their roles. NAME is also the SSH user name. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
  readonly keys: readonly PublicKey[];
  /** Where it came from: a watched key folder, or a command. */
  readonly source: 'folder' | 'command';
  /** A tombstone: it beats a key file that is still there. */
  readonly revokedAtMs?: number;
}

const RANK: Readonly<Record<Role, number>> = { worker: -1, reader: 0, developer: 1, operator: 2 };

/** People's roles include those below: an operator may what a developer may. A worker may nothing of it. */
export function mayActAs(role: Role, needed: Exclude<Role, 'worker'>): boolean {
  return RANK[role] >= RANK[needed];
}
