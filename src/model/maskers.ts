import { createHash } from 'node:crypto';
import { Masker } from './mask.ts';

/** Sets of secrets whose masks are remembered. */
const REMEMBERED = 16;

/**
 * The masks of secrets. To make one of a long key takes a tenth of a second, in which nothing else is done, and builds and commands that
 * have the same secrets follow each other: those that were used last are remembered.
 */
export class Maskers {
  /** By a hash of their secrets, what was used last at the end. */
  readonly #known = new Map<string, Masker>();

  of(secrets: readonly Uint8Array[]): Masker {
    const name = nameOf(secrets);
    const masker = this.#known.get(name) ?? new Masker(secrets);
    this.#known.delete(name);
    this.#known.set(name, masker);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    return masker;
  }
}

/** The same for the same secrets in whatever order. */
function nameOf(secrets: readonly Uint8Array[]): string {
  const names = secrets.map((secret) => createHash('sha256').update(secret).digest('hex'));
  return names.sort().join(' ');
}
