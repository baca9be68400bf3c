import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { TempStore } from './temp-store.ts';

type Kind = Pick<TempStore, 'open' | 'remove'>;

/** What makes, opens again and removes an empty store of each kind. */
const KINDS: readonly { readonly kind: string; readonly make: () => Promise<Kind> }[] = [
  { kind: 'SQLite', make: () => TempStore.make() },
];

/** The same tests over every kind of store; each test has an empty one of its own, which is opened before. */
export function eachStore(
  title: string,
  tests: (current: { readonly store: Store; readonly temp: Kind }) => void,
): void {
  describe.each(KINDS)(`${title} in a store on $kind`, ({ make }) => {
    let temp: Kind;
    let store: Store;
    beforeEach(async () => {
      temp = await make();
      store = await temp.open();
    });
    afterEach(() => temp.remove());
    tests({
      get store() {
        return store;
      },
      get temp() {
        return temp;
      },
    });
  });
}
