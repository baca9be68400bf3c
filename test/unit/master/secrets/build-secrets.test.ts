import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import type { SecretShape } from '../../../../src/config/shape.ts';
import { BuildSecrets } from '../../../../src/master/secrets/build-secrets.ts';
import { SecretBook } from '../../../../src/master/secrets/secret-book.ts';
import { temporaryFolder } from '../../config/try-config.ts';

const secretFile = (name: string): SecretShape => ({ name, from: { kind: 'file', path: name }, projects: 'all' });
const shown = (masks: readonly Uint8Array[]): string[] => masks.map((mask) => Buffer.from(mask).toString());

async function stand(values: Readonly<Record<string, string>>, given: readonly string[] = []): Promise<Stand> {
  const dir = await temporaryFolder();
  for (const [name, value] of Object.entries(values)) await writeFile(join(dir, name), value, { mode: 0o600 });
  const secrets = new BuildSecrets({
    book: new SecretBook({ dir, clock: new FakeClock() }),
    secrets: [...Object.keys(values), 'gone'].map(secretFile),
    reader: { project: 'kate', isUntrusted: false },
    given,
  });
  return { dir, secrets };
}

interface Stand {
  readonly dir: string;
  readonly secrets: BuildSecrets;
}

test('what a build was given once is masked from then on, in texts, keys and lists', async () => {
  const { secrets } = await stand({ key: 'correct horse', token: 'battery staple' });
  expect(secrets.text('a correct horse')).toBe('a correct horse');
  expect(await secrets.give(['key'])).toEqual(new Map([['key', 'correct horse']]));
  expect(secrets.text('a correct horse, a battery staple')).toBe('a *************, a battery staple');
  await secrets.give(['token']);
  expect(secrets.value({ n: 1, 'correct horse': ['battery staple', null, true] })).toEqual({
    n: 1,
    '*************': ['**************', null, true],
  });
  expect(shown(await secrets.masks())).toEqual(['correct horse', 'battery staple']);
});

test('a build that was given a secret by an earlier run of the master masks it again', async () => {
  const { secrets } = await stand({ key: 'correct horse' }, ['key']);
  await secrets.recall();
  expect(secrets.text('a correct horse')).toBe('a *************');
});

test('when one of them cannot be read any more no command may begin, and the others are masked nevertheless', async () => {
  const { secrets } = await stand({ key: 'correct horse' }, ['gone', 'key']);
  const told = /secret "gone": the file \S+ is missing/;
  await expect(secrets.masks()).rejects.toThrow(told);
  // Nor is anything sent elsewhere, whose answer might show it.
  await expect(secrets.give([])).rejects.toThrow(told);
  expect(secrets.text('a correct horse')).toBe('a *************');
});

test('what it asked for and was never to have holds up nothing', async () => {
  const { secrets } = await stand({ key: 'correct horse' }, ['of nobody', 'key']);
  expect(shown(await secrets.masks())).toEqual(['correct horse']);
});

test('after a secret was changed, or is gone, its former value is masked too', async () => {
  const { dir, secrets } = await stand({ key: 'correct horse' });
  await secrets.give(['key']);
  await writeFile(join(dir, 'key'), 'battery staple');
  await secrets.give(['key']);
  await rm(join(dir, 'key'));
  expect(secrets.text('correct horse battery staple')).toBe('************* **************');
  expect(shown(await secrets.masks())).toEqual(['correct horse', 'battery staple']);
});

test('more than a worker takes is refused before anything is given', async () => {
  const many = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`key${n}`, `${n}${'x'.repeat(16_000)}`]));
  const { secrets } = await stand(many);
  await expect(secrets.give(Object.keys(many))).rejects.toThrow(
    'a build may be given 64 secrets of 49152 bytes in all; this one asks for more',
  );
  expect(await secrets.masks()).toEqual([]);
});
