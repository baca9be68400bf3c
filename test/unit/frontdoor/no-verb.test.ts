import { expect, test } from 'vitest';
import { noVerb } from '../../../src/frontdoor/no-verb.ts';
import { VERBS } from '../../../src/frontdoor/verbs/all.ts';

const told = (...words: string[]): string => noVerb(VERBS, words).message;

test.each([
  ['Status', 'status'],
  ['workes', 'workers'],
  ['biuld', 'build'],
  ['tyr', undefined],
  ['frobnicate', undefined],
  ['x'.repeat(1_000), undefined],
  ['\u001b[2J', undefined],
])('of %s it is asked whether %s was meant', (word, meant) => {
  const text = told(word);
  expect(text).toMatch(/^there is no verb ".+"; "help" lists them$|^there is no verb ".+" \(did you mean/);
  expect(/did you mean "([^"]*)"/.exec(text)?.[1]).toBe(meant);
  expect(text).not.toContain('\u001b');
});

test('the second words of a noun are named', () => {
  expect(told('token')).toBe('"token" wants one word more: token add|list|revoke');
  expect(told('token', 'nix')).toBe('there is no verb "token nix": token add|list|revoke');
});
