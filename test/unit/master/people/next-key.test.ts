import { expect, test } from 'vitest';
import { settledKeys, withNextKey } from '../../../../src/master/people/next-key.ts';
import { MAX_KEYS } from '../../../../src/model/principal.ts';
import type { Principal } from '../../../../src/model/principal.ts';

const key = (blob: string) => ({ type: 'ssh-ed25519', blob, comment: blob });
const WORKER: Principal = { name: 'w', role: 'worker', source: 'command', keys: [key('one'), key('two')] };

test('the next key holds beside all others until it is used, and then only the one it replaces goes', () => {
  const keys = withNextKey(WORKER, 'one', key('next'));
  expect(keys).toEqual([key('one'), key('two'), { ...key('next'), comment: 'w', replaces: 'one' }]);
  if ('refused' in keys) throw new Error(keys.refused);
  expect(settledKeys(keys, 'one')).toBeUndefined();
  expect(settledKeys(keys, 'two')).toBeUndefined();
  expect(settledKeys(keys, 'next')).toEqual([key('two'), { ...key('next'), comment: 'w' }]);
});

test('an offer again is the same, and another one takes its place', () => {
  const once = { ...WORKER, keys: withNextKey(WORKER, 'one', key('next')) as Principal['keys'] };
  expect(withNextKey(once, 'one', key('next'))).toEqual(once.keys);
  const twice = withNextKey(once, 'one', key('later')) as Principal['keys'];
  expect(twice.map(({ blob }) => blob)).toEqual(['one', 'two', 'later']);
  const beside = withNextKey(once, 'two', key('later')) as Principal['keys'];
  expect(beside.map(({ blob }) => blob)).toEqual(['one', 'two', 'next', 'later']);
});

test.each([
  ['nobody', undefined, 'not admitted'],
  ['a person', { ...WORKER, role: 'operator' as const }, 'not admitted'],
  ['one that was revoked', { ...WORKER, revokedAtMs: 1 }, 'not admitted'],
  ['one of a file', { ...WORKER, source: 'folder' as const }, 'keys/workers/w.pub on the master, which is the admin'],
  ['one whose login was withdrawn', { ...WORKER, keys: [key('two')] }, 'key of this login is not admitted'],
])('%s gets no next key, and hears why', (_, principal, why) => {
  expect(withNextKey(principal, 'one', key('next'))).toEqual({ refused: expect.stringContaining(why) });
});

test('the key of the login itself is no next key', () => {
  expect(withNextKey(WORKER, 'one', key('one'))).toEqual({ refused: expect.stringContaining('of this login') });
});

test('a worker that goes on from key to key, and never works with one, does not pile them up', () => {
  let keys: Principal['keys'] = [key('0')];
  let refused: string | undefined;
  for (let i = 1; i < 100 && refused === undefined; i++) {
    const offered = withNextKey({ ...WORKER, keys }, String(i - 1), key(String(i)));
    if ('refused' in offered) refused = offered.refused;
    else keys = offered;
  }
  expect(keys.length).toBe(MAX_KEYS);
  expect(refused).toContain(`${MAX_KEYS} keys already`);
});
