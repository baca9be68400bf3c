import type { KeyRing } from '../../src/master/link/key-ring.ts';

/** For a desk whose workers keep their keys. */
export const NO_KEY_RING: KeyRing = {
  admitNextKey: () => Promise.resolve('no keys change here'),
  settleKey: () => Promise.resolve(false),
  hostKeys: () => ({ keys: [], retired: [] }),
  hostKeysHeld: () => Promise.resolve(),
};
