import { afterEach, beforeEach, expect, test } from 'vitest';
import { audited } from '../../../src/master/audit.ts';
import { OperatorError } from '../../../src/master/operator.ts';
import type { Asker } from '../../../src/master/operator.ts';
import { makeSecret } from '../../../src/master/people/secrets.ts';
import type { Store } from '../../../src/store/store.ts';
import { TempStore } from '../../support/temp-store.ts';

const ANN: Asker = { name: 'ann', role: 'operator' };
let temp: TempStore;
let store: Store;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
});
afterEach(() => temp.remove());

async function entryOf(target: string, detail: Record<string, string | string[]>, fault?: string): Promise<string> {
  const action = { action: 'try it', target, detail, role: 'operator' } as const;
  const work = (): Promise<void> =>
    fault === undefined ? Promise.resolve() : Promise.reject(new OperatorError('usage', fault));
  await audited({ store, clock: temp.clock }, ANN, action, work).catch((error: unknown) => {
    if (!(error instanceof OperatorError)) throw error;
  });
  return JSON.stringify(await store.audit.list(10));
}

test('a secret that somebody says where a name belongs is not in the audit log', async () => {
  const { text, id } = makeSecret('token');
  const code = `join+${'0123456789abcdef'.repeat(2)}`;
  const entry = await entryOf(`${text},${code}`, { reason: `for ${text}`, list: [code] }, `there is no ${text}`);
  expect(entry).not.toContain(text.slice(-32));
  expect(entry).not.toContain(code);
  expect(entry).toContain(`"target":"tlt_${id}_…,join+…"`);
  expect(entry).toContain('"list":["join+…"]');
});

test('an entry is bounded, whatever was said', async () => {
  const long = 'x'.repeat(30_000);
  const entry = await entryOf(long, { role: long, list: [long, 'whole'] }, long);
  expect(entry.length).toBeLessThan(5_000);
  expect(entry).toContain('whole');
});
