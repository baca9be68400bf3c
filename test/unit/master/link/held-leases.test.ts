import { expect, onTestFinished, test } from 'vitest';
import { HeldLeases } from '../../../../src/master/link/held-leases.ts';
import { TempStore } from '../../../support/temp-store.ts';

test('what could not be stored is stored the next time, and counts until then', async () => {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  const held = new HeldLeases(store, { ruleOf: () => Promise.resolve('wait'), heartbeatMs: () => 15_000 }, temp.clock);
  // The store knows no such worker yet.
  await expect(held.put('w', 5_000)).rejects.toMatchObject({ code: 'not-found' });
  expect(held.of('w')).toBe(5_000);
  const hello = { installId: 'i', bootId: 'b', processId: 'p', host: 'h', version: '1', facts: {} };
  await store.workers.attach({ name: 'w', ...hello }, 1);
  await held.put('w', 5_000);
  expect((await store.workers.find('w'))?.leaseMs).toBe(5_000);
});
