import type { SecretShape } from '../../config/shape.ts';
import { Masker } from '../../model/mask.ts';
import { MOST_SECRETS_OF_BUILD, SECRETS_OF_BUILD_BYTES } from '../../model/secret.ts';
import type { SecretBook, SecretReader } from './secret-book.ts';
import { SecretError } from './secret-error.ts';

/** What is stored or shown of a build goes through it. */
export interface Redactor {
  text(text: string): string;
  /** A copy in which all texts are masked, also keys. */
  value<T>(value: T): T;
}

export interface BuildSecretsOptions {
  readonly book: SecretBook;
  /** Of the configuration that the build keeps. */
  readonly secrets: readonly SecretShape[] | undefined;
  readonly reader: SecretReader;
  /** Names of those that the build was given before, by an earlier run of the master. */
  readonly given?: Iterable<string>;
}

/**
 * The secrets that one build has been given so far. From the moment at which it is given one, all that is stored of the build
 * goes without it, and every command that begins masks it: a file that one step wrote may be printed by the next.
 */
export class BuildSecrets implements Redactor {
  readonly #options: BuildSecretsOptions;
  readonly #values = new Set<string>();
  #masker = new Masker([]);
  /** Given before, and not read again yet. */
  readonly #former: Set<string>;

  constructor(options: BuildSecretsOptions) {
    this.#options = options;
    this.#former = new Set(options.given);
  }

  /**
   * The values of these, which the build has from now on. Rejects with a `SecretError`, and has then been given none of them; also when
   * what it was given before is not known any more, and could not be masked in what comes of it.
   */
  async give(names: Iterable<string>): Promise<ReadonlyMap<string, string>> {
    await this.recall();
    const given = new Map<string, string>();
    for (const name of new Set(names)) given.set(name, await this.#read(name));
    this.#add(given.values());
    return given;
  }

  /** What the output of a command that begins now must not show. Rejects with a `SecretError` when that is not known any more. */
  async masks(): Promise<readonly Uint8Array[]> {
    await this.recall();
    return Array.from(this.#values, (value) => Buffer.from(value, 'utf8'));
  }

  /** Reads again what the build was given before, or would have been. Rejects with a `SecretError` when it cannot be read any more. */
  async recall(): Promise<void> {
    let failure: SecretError | undefined;
    for (const name of this.#former) {
      try {
        this.#add([await this.#read(name)]);
      } catch (error) {
        if (!(error instanceof SecretError)) throw error;
        if (!error.isRefused) {
          failure ??= error;
          continue;
        }
      }
      this.#former.delete(name);
    }
    if (failure) throw failure;
  }

  text(text: string): string {
    return this.#masker.text(text);
  }

  value<T>(value: T): T {
    return this.#masker.isEmpty ? value : (this.#redacted(value) as T);
  }

  #redacted(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((one) => this.#redacted(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [this.text(key), this.#redacted(one)]));
  }

  #read(name: string): Promise<string> {
    const { book, secrets, reader } = this.#options;
    return book.read(secrets, reader, name);
  }

  #add(values: Iterable<string>): void {
    const all = new Set([...this.#values, ...values]);
    if (all.size === this.#values.size) return;
    let bytes = 0;
    for (const value of all) bytes += Buffer.byteLength(value);
    if (all.size > MOST_SECRETS_OF_BUILD || bytes > SECRETS_OF_BUILD_BYTES) {
      throw new SecretError(
        `a build may be given ${MOST_SECRETS_OF_BUILD} secrets of ${SECRETS_OF_BUILD_BYTES} bytes in all; this one asks for more`,
      );
    }
    for (const value of all) this.#values.add(value);
    this.#masker = this.#options.book.maskers.of(Array.from(all, (value) => Buffer.from(value, 'utf8')));
  }
}
