import { SHORTEST_SECRET_BYTES } from './secret.ts';

/** Of what is longer every run of so many bytes is masked by itself: also a half of it, or a line of it that was wrapped. */
export const MASK_WINDOW_BYTES = 16;

/**
 * The texts that stand for a secret, as latin1 (a character a byte), each of 6 to 16 bytes. What is longer is told as all runs of
 * 16 bytes in it. Sorted, each once.
 */
export function maskTexts(secrets: Iterable<Uint8Array>): readonly string[] {
  const texts = new Set<string>();
  for (const secret of secrets) {
    for (const form of new Set(formsOf(Buffer.from(secret)))) {
      if (form.length < SHORTEST_SECRET_BYTES) continue;
      const last = Math.max(0, form.length - MASK_WINDOW_BYTES);
      for (let at = 0; at <= last; at++) texts.add(form.slice(at, at + MASK_WINDOW_BYTES));
    }
  }
  return [...texts].sort();
}

/** The forms in which a secret is usually met, as latin1. */
function formsOf(secret: Buffer): string[] {
  const text = secret.toString('utf8');
  const lines = text.split(/\r?\n/);
  const plain = [text, ...(lines.length > 1 ? lines : []), ...lines.map((line) => line.trim())];
  const url = percentEncoded(text);
  const escaped = [
    JSON.stringify(text).slice(1, -1),
    text.replaceAll("'", `'\\''`),
    ...url,
    ...url.map((one) => one.replaceAll('%20', '+')),
  ];
  return [
    ...[...plain, ...escaped].map((form) => Buffer.from(form, 'utf8').toString('latin1')),
    ...base64Forms(secret),
  ];
}

/** As JavaScript does it, and as RFC 3986 section 2.2 has it for what JavaScript leaves alone; hexadecimal in both cases. */
function percentEncoded(text: string): string[] {
  const own = encodeURIComponent(text);
  const strict = own.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return [own, strict].flatMap((one) => [one, one.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
}

/**
 * Base64 of a text in which the secret begins at a byte whose number is 0, 1 or 2 modulo 3: the characters that depend on the
 * secret alone (RFC 4648 section 4), in the alphabets of sections 4 and 5.
 */
function base64Forms(secret: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = { first: before * 8, end: (before + secret.length) * 8 };
    const whole = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
    const form = whole.slice(Math.ceil(bits.first / 6), Math.floor(bits.end / 6));
    return [form, form.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
