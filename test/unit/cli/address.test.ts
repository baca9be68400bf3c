import { expect, test } from 'vitest';
import { parseAddress } from '../../../src/cli/address.ts';

test.each([
  ['ci.example.org', { host: 'ci.example.org', port: 2222 }],
  ['ci:22', { host: 'ci', port: 22 }],
  ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
  ['[::1]:22', { host: '::1', port: 22 }],
  ['[::1]', { host: '::1', port: 2222 }],
  ['::1', { host: '::1', port: 2222 }],
])('%s is an address', (text, address) => {
  expect(parseAddress(text, 2222)).toEqual(address);
});

test.each(['', ':22', 'host:', 'host:x', 'host:65536', 'a b', '[::1', 'host:1:2'])('"%s" is none', (text) => {
  expect(() => parseAddress(text, 2222)).toThrow(/is no address: give HOST/);
});
