import { expect, test } from 'vitest';
import { Maskers } from '../../../src/model/maskers.ts';

const utf8 = (...texts: readonly string[]): Uint8Array[] => texts.map((text) => Buffer.from(text, 'utf8'));

test('the masks of the same secrets are made once, and of others anew', () => {
  const maskers = new Maskers();
  const both = maskers.of(utf8('correct horse', 'battery staple'));
  expect(maskers.of(utf8('battery staple', 'correct horse'))).toBe(both);
  expect(both.text('a battery staple')).toBe('a **************');
  const one = maskers.of(utf8('correct horsebattery staple'));
  expect(one).not.toBe(both);
  expect(one.text('a battery staple')).toBe('a battery staple');
});

test('those that were not used for long are forgotten', () => {
  const maskers = new Maskers();
  const [kept, left] = [maskers.of(utf8('correct horse')), maskers.of(utf8('battery staple'))];
  for (let n = 0; n < 100; n += 1) {
    maskers.of(utf8(`secret ${n}`));
    expect(maskers.of(utf8('correct horse'))).toBe(kept);
  }
  expect(maskers.of(utf8('battery staple'))).not.toBe(left);
});
