import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { Knocks } from '../../../../src/master/people/knocks.ts';
import { fingerprint, makeKeyPair } from '../../../../src/transport/keys.ts';

const clock = new FakeClock();
const open = (): Knocks => new Knocks({ clock, isExpected: (name) => name.startsWith('mine') });
const key = () => makeKeyPair('k').publicKey;

test('knocks are counted by name and key, newest first', () => {
  const knocks = open();
  const one = key();
  const firstAtMs = clock.now();
  knocks.note('a', one, '10.0.0.1');
  knocks.note('b', one, '10.0.0.2');
  clock.advance(5_000);
  knocks.note('a', one, '10.0.0.3');
  const times = { firstAtMs, lastAtMs: firstAtMs + 5_000, count: 2 };
  expect(knocks.list()).toMatchObject([
    { name: 'a', fingerprint: fingerprint(one), address: '10.0.0.3', ...times },
    { name: 'b', count: 1 },
  ]);
  knocks.forget('a');
  expect(knocks.list().map(({ name }) => name)).toEqual(['b']);
});

test('strangers fill no memory, and push out no worker of the configuration', () => {
  const knocks = open();
  const mine = key();
  knocks.note('mine', mine, 'x');
  for (let n = 0; n < 500; n++) knocks.note(`name${n}`, mine, 'x');
  expect(knocks.list()).toHaveLength(200);
  expect(knocks.list().at(-1)).toMatchObject({ name: 'mine' });
  for (let n = 0; n < 40; n++) knocks.note('mine', key(), 'x');
  expect(knocks.list().filter(({ name }) => name === 'mine')).toHaveLength(20);
  expect(knocks.list().length).toBeLessThanOrEqual(200);
});

test('what can be no name, or is no key, is not remembered', () => {
  const knocks = open();
  const { type, blob } = key();
  knocks.note('../../x', { type, blob }, 'x');
  knocks.note('x'.repeat(65), { type, blob }, 'x');
  knocks.note('a', { type, blob: blob.slice(0, 20) }, 'x');
  knocks.note('a', { type: 'ssh-rsa', blob }, 'x');
  expect(knocks.list()).toEqual([]);
});
