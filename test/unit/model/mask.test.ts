import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskTexts } from '../../../src/model/mask-forms.ts';
import { Masker } from '../../../src/model/mask.ts';
import { StreamMask } from '../../../src/model/stream-mask.ts';

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
const masked = (secret: string, text: string): string => new Masker([utf8(secret)]).text(text);

/** What it means, byte by byte: a byte is a star if any text that contains it is there, from its first byte to its last. */
function reference(texts: readonly string[], raw: Buffer): Buffer {
  const out = Buffer.from(raw);
  const whole = raw.toString('latin1');
  for (const text of texts) {
    for (let at = whole.indexOf(text); at >= 0; at = whole.indexOf(text, at + 1)) {
      for (let i = at; i < at + text.length; i++) if (raw[i] !== 0x0a && raw[i] !== 0x0d) out[i] = 0x2a;
    }
  }
  return out;
}

/** Few letters, so that secrets overlap with themselves, with each other and with what is around them. */
const secretText = fc
  .array(fc.constantFrom('a', 'b', 'a', 'ö', '\n', '/', ' ', "'"), { minLength: 6, maxLength: 40 })
  .map((letters) => letters.join(''));
const secrets = fc.array(secretText, { minLength: 1, maxLength: 3 });

function output(of: readonly string[]): fc.Arbitrary<Buffer> {
  const noise = fc.stringMatching(/^[abö\n/ ]{0,20}$/).map(utf8);
  const one = fc.constantFrom(...of);
  const pieces = fc.oneof(
    noise,
    one.map(utf8),
    fc.tuple(one, fc.nat(40), fc.nat(40)).map(([text, from, length]) => utf8(text).subarray(from, from + length)),
    fc
      .tuple(fc.stringMatching(/^[ab]{0,3}$/), one)
      .map(([before, text]) => utf8(utf8(before + text).toString('base64'))),
    one.map((text) => utf8(encodeURIComponent(text))),
    one.map((text) => utf8(JSON.stringify(text))),
  );
  return fc.array(pieces, { maxLength: 12 }).map((all) => Buffer.concat(all));
}

const scenes = secrets.chain((of) => fc.tuple(fc.constant(of), output(of)));

test('each byte of a text that stands for a secret is a star, and no other byte is', () => {
  fc.assert(
    fc.property(scenes, ([of, raw]) => {
      const masker = new Masker(of.map(utf8));
      const { bytes, settled } = masker.mask(raw, { isOpen: true });
      const wanted = reference(maskTexts(of.map(utf8)), raw);
      expect(bytes.subarray(0, settled)).toEqual(wanted.subarray(0, settled));
      expect(raw.length - settled).toBeLessThanOrEqual(masker.overlapBytes);
    }),
    { numRuns: 300 },
  );
});

test('an output is masked the same in whatever pieces it comes, and is as long as it was', () => {
  fc.assert(
    fc.property(scenes, fc.array(fc.nat(30), { minLength: 1, maxLength: 60 }), ([of, raw], lengths) => {
      const masker = new Masker(of.map(utf8));
      const stream = new StreamMask(masker);
      const out: Uint8Array[] = [];
      let at = 0;
      for (const length of lengths) {
        out.push(stream.write(raw.subarray(at, at + length)));
        at += length;
      }
      out.push(stream.write(raw.subarray(at)), stream.end());
      expect(Buffer.concat(out)).toEqual(Buffer.from(masker.mask(raw).bytes));
    }),
    { numRuns: 300 },
  );
});

test('what was masked once is not changed by masking it again', () => {
  fc.assert(
    fc.property(scenes, ([of, raw]) => {
      const masker = new Masker(of.map(utf8));
      const once = masker.mask(raw).bytes;
      const whole = masker.mask(once).bytes;
      // A star is no letter of these secrets, and so in none of their texts.
      expect(Buffer.from(whole)).toEqual(Buffer.from(once));
    }),
  );
});

test('printed byte by byte, no byte of a secret is given out before it is known to be none', () => {
  const secret = 'correct horse battery staple';
  const stream = new StreamMask(new Masker([utf8(secret)]));
  const out = [...utf8(`token=${secret};\n`)].map((byte) => stream.write(Uint8Array.of(byte)));
  expect(Buffer.concat(out).toString()).toBe(`token=${'*'.repeat(secret.length)};\n`);
  expect(Buffer.concat(out.slice(0, 12)).toString()).toBe('token=');
});

test('only what may become a secret is held back', () => {
  const stream = new StreamMask(new Masker([utf8('hunter2-and-more')]));
  expect(Buffer.from(stream.write(utf8('compiling hunt'))).toString()).toBe('compiling ');
  expect(Buffer.from(stream.write(utf8('ing\n'))).toString()).toBe('hunting\n');
  expect(Buffer.from(stream.end()).toString()).toBe('');
});

test('lines of a secret are masked by themselves, and line breaks stay', () => {
  const key = '-----BEGIN KEY-----\nMIIBVgIBADANBgkq\n}\nshortx\n-----END KEY-----';
  expect(masked(key, `> MIIBVgIBADANBgkq\n> shortx\n> }`)).toBe(`> ****************\n> ******\n> }`);
  expect(masked(key, key)).toBe(key.replaceAll(/[^\n]/g, '*'));
});

test('a half of a long secret is masked, a few letters of it are not', () => {
  const secret = 'AKIAIOSFODNN7EXAMPLEbPxRfiCYEXAMPLEKEY';
  expect(masked(secret, secret.slice(3, 24))).toBe('*'.repeat(21));
  expect(masked(secret, 'AKIA is how they begin')).toBe('AKIA is how they begin');
});

test('base64 is found wherever in a text the secret lies, in both alphabets, and wrapped', () => {
  const secret = 'p@ss?word>with~odd\u00ffsigns and quite some length to it, so that it is wrapped';
  for (const before of ['', 'u', 'u:', 'user:']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const text = utf8(`${before}${secret}`).toString(encoding);
      const shown = masked(secret, text);
      expect(shown.length).toBe(text.length);
      expect(shown.replaceAll('*', '').length, shown).toBeLessThanOrEqual(Math.ceil((before.length * 4) / 3) + 4);
      const wrapped = text.replaceAll(/.{40}/g, '$&\n');
      expect(masked(secret, wrapped).replaceAll(/[*\n]/g, '').length).toBeLessThanOrEqual(
        Math.ceil((before.length * 4) / 3) + 4,
      );
    }
  }
});

test.each([
  ['JSON', (text: string) => JSON.stringify(text).slice(1, -1)],
  ['a URL', encodeURIComponent],
  ['a form', (text: string) => new URLSearchParams({ k: text }).toString().slice(2)],
  ["a shell's trace", (text: string) => text.replaceAll("'", `'\\''`)],
])('as %s writes it a secret is masked whole', (_what, write) => {
  const secret = `a"b\\c d/e'f`;
  expect(masked(secret, `<${write(secret)}>`)).toBe(`<${'*'.repeat(write(secret).length)}>`);
});

test('where an output was cut, the part of a secret that is left is masked too', () => {
  const masker = new Masker([utf8('correct horse battery staple')]);
  const mask = (text: string, ends: Parameters<Masker['mask']>[1]): string =>
    Buffer.from(masker.mask(utf8(text), ends).bytes).toString();
  expect(mask('ry staple and on', { isCutBefore: true })).toBe('********* and on');
  expect(mask('ry staple and on', {})).toBe('ry staple and on');
  expect(mask('it was correct ho', {})).toBe('it was **********');
  expect(mask('it was correct ho', { isOpen: true })).toBe('it was correct ho');
  expect(mask('it was cor', {})).toBe('it was cor');
});

test('without a secret, or with one that is too short, nothing is masked', () => {
  expect(new Masker([]).mask(utf8('all of it'), { isOpen: true }).settled).toBe(9);
  expect(masked('a', 'banana')).toBe('banana');
});

test('a text is as long as its bytes are', () => {
  expect(masked('ééé', 'ééé')).toBe('******');
});
