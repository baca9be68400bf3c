import type { Store } from '../../store/store.ts';
import type { HostKeys } from '../host-keys.ts';
import type { KeyRing } from '../link/key-ring.ts';
import type { People } from './people.ts';

/** What workers' connections ask about keys, theirs and the master's. */
export function keyRing(people: People, hostKeys: HostKeys, store: Store): KeyRing {
  return {
    admitNextKey: (worker, loginKey, next) => people.admitNextKey(worker, loginKey, next),
    settleKey: (worker, loginKey) => people.settleKey(worker, loginKey),
    hostKeys: () => {
      const { current, next, retired } = hostKeys;
      return { keys: next ? [current, next] : [current], retired };
    },
    hostKeysHeld: (worker, keys) => store.hostKeys.put(worker, keys),
  };
}
