import type { Clock } from '../base/clock.ts';
import type { Role } from '../model/principal.ts';
import type { Asker, Operator } from '../master/operator.ts';

/** Exit statuses besides those of results (`EXIT_STATUS`); the numbers of sysexits.h. */
export const EX_USAGE = 64;
export const EX_NOT_FOUND = 66;
export const EX_UNAVAILABLE = 69;
export const EX_SOFTWARE = 70;
export const EX_NO_RIGHT = 77;

/** What a verb is given. */
export interface VerbContext {
  readonly operator: Operator;
  readonly asker: Asker;
  readonly clock: Clock;
  /** The words after the verb. */
  readonly args: readonly string[];
  /** Everything on standard input, refused when longer. */
  readonly readStdin: (maxBytes: number) => Promise<string>;
  /** The same in pieces, each good only until the next. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /**
   * To standard output; waits while the reader is slow. A text is made safe for a terminal; bytes are sent as they are, for what
   * no terminal shows (a file), or is safe already.
   */
  readonly write: (text: string | Uint8Array) => Promise<void>;
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal;
  /** The master's address by which the caller came. */
  readonly arrivedAt: { readonly host: string; readonly port: number };
  readonly isTerminal: boolean;
}

/** One verb of the front door. `run` resolves to the exit status; wrong words throw a `UsageError`. */
export interface Verb {
  /** One word, or two (`worker add`). */
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly role: Exclude<Role, 'worker'>;
  run(context: VerbContext): Promise<number>;
}

/** The words after a verb make no sense: told with the verb's usage, status 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
