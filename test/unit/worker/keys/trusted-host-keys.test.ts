import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { makeKeyPair } from '../../../../src/transport/keys.ts';
import { trustedAfter } from '../../../../src/worker/keys/trusted-host-keys.ts';
import { until } from '../../../support/until.ts';
import { SOME_HOST_KEY, TryWorker } from '../try-worker.ts';

vi.setConfig({ testTimeout: 60_000 });

let worker: TryWorker | undefined;
afterEach(() => worker?.close());

test('what is proven is trusted beside the rest, and what is retired goes when its successor was seen', () => {
  const told = { proven: ['new', 'next'], retired: ['old'] };
  expect(trustedAfter(['old', 'other'], { ...told, shown: 'old' })).toEqual(['old', 'other', 'new', 'next']);
  expect(trustedAfter(['old', 'other'], { ...told, shown: undefined })).toEqual(['old', 'other', 'new', 'next']);
  expect(trustedAfter(['old', 'other', 'new'], { ...told, shown: 'new' })).toEqual(['other', 'new', 'next']);
});

test('a master that retires all, or names what it has not proven, shuts nobody out', () => {
  expect(trustedAfter(['a'], { proven: [], retired: ['a'], shown: 'a' })).toEqual(['a']);
  expect(trustedAfter(['a', 'b'], { proven: ['b'], retired: ['a', 'b'], shown: 'c' })).toEqual(['b']);
});

test('no more are trusted than can be told, and those that are trusted stay', () => {
  const trusted = ['1', '2', '3', '4', '5', '6', '7'];
  const after = trustedAfter(trusted, { proven: ['8', '9'], retired: [], shown: '1' });
  expect(after).toEqual([...trusted, '8']);
});

test('a host key without the right proof is not trusted, and the file stays as it is', async () => {
  worker = await TryWorker.create();
  await worker.start();
  const { master, dir } = worker;
  await until('it is here', () => master.inventory !== undefined);
  const before = await readFile(join(dir, 'worker.json'), 'utf8');
  const { type, blob } = makeKeyPair('stranger').publicKey;
  const keys = [{ publicKey: `${type} ${blob}`, signature: new Uint8Array(64) }];
  master.link?.send('hostkeys', '', { keys, retired: [SOME_HOST_KEY] });
  await until('it answers', () => master.heardOf('hostkeys.held').length > 0);
  expect(master.heardOf('hostkeys.held')).toEqual([{ keys: [SOME_HOST_KEY] }]);
  expect(await readFile(join(dir, 'worker.json'), 'utf8')).toBe(before);
});
