import { expect, test } from 'vitest';
import { fingerprintOf } from '../../../src/config/fingerprint.ts';

test('what differs in a text, a function or a pattern, however deep, has another fingerprint', () => {
  const all = [
    { of: 'sh', command: 'make' },
    { of: 'sh', command: 'make -j2' },
    { of: 'sh', command: () => 'make' },
    { of: 'sh', command: () => 'make -j2' },
    { of: 'sh', env: { PATH: [() => 'a'] } },
    { of: 'sh', env: { PATH: [() => 'b'] } },
    { of: 'sh', pattern: /a/ },
    { of: 'sh', pattern: /a/i },
    () => 'make',
  ];
  const prints = all.map((one) => fingerprintOf(one));
  expect(new Set(prints).size).toBe(all.length);
  expect(fingerprintOf({ of: 'sh', command: () => 'make' })).toBe(prints[2]);
});
