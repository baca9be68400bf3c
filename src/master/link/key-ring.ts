import type { SshPrivateKey } from '../../transport/keys.ts';
import type { PublicKey } from '../../model/principal.ts';

/** Who decides which keys open the door, as far as workers' connections ask. */
export interface KeyRing {
  /** Lets a worker's next key in beside the one it logged in with. Resolves to why not, for the worker. */
  admitNextKey(worker: string, loginKey: string, next: PublicKey): Promise<string | undefined>;
  /** The worker works with this key: the one whose place it takes lets nobody in any more. */
  settleKey(worker: string, loginKey: string): Promise<boolean>;
  /** The master's own: what a worker is to trust, and what it needs no more (fingerprints). */
  hostKeys(): { readonly keys: readonly SshPrivateKey[]; readonly retired: readonly string[] };
  /** The worker trusts these (fingerprints), on its disk. */
  hostKeysHeld(worker: string, keys: readonly string[]): Promise<void>;
}
