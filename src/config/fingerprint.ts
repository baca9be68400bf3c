import { createHash } from 'node:crypto';

/** Changes when a value does: a function is seen by its text only, however deep it is. */
export function fingerprintOf(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'function') return Function.prototype.toString.call(inner);
    return inner instanceof RegExp ? String(inner) : inner;
  });
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
