import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { UserMistake } from '../../base/errors.ts';
import type { SecretShape } from '../../config/shape.ts';
import { Maskers } from '../../model/maskers.ts';
import { LONGEST_SECRET_BYTES, NEWLINE_BYTES } from '../../model/secret.ts';
import { readSecretFile } from '../reporters/read-secret.ts';
import { checkValue } from './check-value.ts';
import { runProvider } from './run-provider.ts';
import { SecretError } from './secret-error.ts';

/** What a command has printed is good for so long: a hundred builds that begin at once ask it once. */
const COMMAND_KEPT_MS = 60_000;

export interface SecretBookOptions {
  /** The master's folder. */
  readonly dir: string;
  readonly clock: Clock;
  readonly env?: NodeJS.ProcessEnv;
}

/** For whom a secret is read. */
export interface SecretReader {
  readonly project: string;
  /** Its source may be anybody's. */
  readonly isUntrusted: boolean;
}

interface Printed {
  readonly value: Promise<Buffer>;
  readonly atMs: number;
}

/** The values of secrets, read when a build needs them: a file or a variable each time, what a command prints once a minute. */
export class SecretBook {
  readonly #options: SecretBookOptions;
  /** Of all builds. */
  readonly maskers = new Maskers();
  /** By their commands. */
  readonly #printed = new Map<string, Printed>();

  constructor(options: SecretBookOptions) {
    this.#options = options;
  }

  /** Rejects with a `SecretError` when there is none of that name, it is not for this reader, or it cannot be read or used. */
  async read(secrets: readonly SecretShape[] = [], reader: SecretReader, name: string): Promise<string> {
    const shape = secrets.find((one) => one.name === name);
    if (!shape)
      throw new SecretError(`there is no secret "${name}" in the configuration of this build`, { isRefused: true });
    const refusal = refusalOf(shape, reader);
    if (refusal !== undefined) throw new SecretError(refusal, { isRefused: true });
    return checkValue(name, await this.#bytes(shape));
  }

  /** Reads each file and variable once; tells in a line for each what is wrong with it. No command is run. */
  async mistakes(secrets: readonly SecretShape[] = []): Promise<readonly string[]> {
    const told = await Promise.all(
      secrets.map(async (shape) => {
        if (shape.from.kind === 'command') return [];
        try {
          checkValue(shape.name, await this.#bytes(shape));
          return [];
        } catch (error) {
          if (error instanceof SecretError) return [error.message];
          throw error;
        }
      }),
    );
    return told.flat();
  }

  async #bytes({ name, from }: SecretShape): Promise<Buffer> {
    const { dir, env = process.env } = this.#options;
    switch (from.kind) {
      case 'file':
        try {
          return await readSecretFile('the file', resolve(dir, from.path), LONGEST_SECRET_BYTES + NEWLINE_BYTES);
        } catch (error) {
          if (error instanceof UserMistake) {
            throw new SecretError(`secret "${name}": ${error.message}`, { cause: error });
          }
          throw error;
        }
      case 'env': {
        const value = env[from.variable];
        if (value !== undefined) return Buffer.from(value, 'utf8');
        throw new SecretError(`secret "${name}": there is no ${from.variable} in the environment of this process`);
      }
      default:
        return await this.#print(name, from);
    }
  }

  async #print(name: string, from: Extract<SecretShape['from'], { readonly kind: 'command' }>): Promise<Buffer> {
    const { clock, dir } = this.#options;
    const key = JSON.stringify(from);
    const known = this.#printed.get(key);
    if (known && clock.monotonic() - known.atMs < COMMAND_KEPT_MS) return await known.value;
    const printed = { value: runProvider(name, from, { dir, clock }), atMs: clock.monotonic() };
    this.#printed.set(key, printed);
    try {
      return await printed.value;
    } catch (error) {
      // What failed is asked again by the next one.
      if (this.#printed.get(key) === printed) this.#printed.delete(key);
      throw error;
    }
  }
}

/** Why this reader may not have it; undefined: it may. */
function refusalOf({ name, projects, forks }: SecretShape, reader: SecretReader): string | undefined {
  if (projects !== 'all' && !projects.includes(reader.project)) {
    return `secret "${name}" is not for project ${reader.project}; add "${reader.project}" to the secret's projects`;
  }
  if (!reader.isUntrusted || forks === true) return undefined;
  return `secret "${name}" is not given to builds of what is untrusted, such as pull requests of forks; say forks: true to allow it`;
}
