import { isUtf8 } from 'node:buffer';
import { LONGEST_SECRET_BYTES, SHORTEST_SECRET_BYTES } from '../../model/secret.ts';
import { SecretError } from './secret-error.ts';

/** The value of what was read for a secret: without one newline at its end, which is an editor's. Throws a `SecretError`. */
export function checkValue(name: string, read: Buffer): string {
  const refuse = (why: string): never => {
    throw new SecretError(`secret "${name}" ${why}`);
  };
  if (!isUtf8(read)) refuse('is not UTF-8; store it as base64, and decode it where it is used');
  const value = read.toString('utf8').replace(/\r?\n$/, '');
  if (Buffer.byteLength(value) > LONGEST_SECRET_BYTES) refuse(`is longer than ${LONGEST_SECRET_BYTES} bytes`);
  if (value.trim() === '') refuse('is empty');
  if (value.includes('\0')) refuse('has a NUL in it; store it as base64, and decode it where it is used');
  if (Buffer.byteLength(value.trim()) < SHORTEST_SECRET_BYTES) {
    refuse(`is shorter than ${SHORTEST_SECRET_BYTES} bytes: it could not be masked in logs; use a longer one`);
  }
  return value;
}
