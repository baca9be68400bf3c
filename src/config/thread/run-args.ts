import { isName, NAME_RULE } from '../../model/names.ts';
import { isSecretRef } from '../../model/secret.ts';
import type { SecretRef } from '../../model/secret.ts';
import type { RebootArgs, RunAnswer, RunArgs } from '../calls.ts';
import { parseDuration, showDuration } from '../duration.ts';
import { parseLogLimit } from '../log-limit.ts';
import type { RebootOptions, RunOptions, RunResult, Size } from '../step-context.ts';
import { checkSecrets } from './made-secrets.ts';
import { prependArg } from './prepend-arg.ts';

const DEFAULT_SILENCE = '20m';
const DEFAULT_REBOOT = '10m';
/** Limits of the wire (`docs/protocol.md`), told where the mistake is made. */
const COMMAND_CHARACTERS = 100_000;
const COMMAND_WORDS = 1_000;
const STDIN_BYTES = 64 * 1024;
const CAPTURE_BYTES = 256 * 1024;

/** What a builder gives to all its commands. */
export interface BuilderDefaults {
  readonly env: Readonly<Record<string, string | SecretRef>>;
  readonly logLimit?: Size;
}

/** Checks what `ctx.run` was given. */
export function runArgs(
  command: string | readonly string[],
  options: RunOptions,
  given: BuilderDefaults & { readonly log: string },
): RunArgs {
  const { cwd, env, stdin, timeout = DEFAULT_SILENCE, maxTime, killAfter, log = given.log, capture, onLine } = options;
  const { logLimit = given.logLimit } = options;
  checkCommand(command);
  if (!isName(log)) throw new TypeError(`${JSON.stringify(log)} is no name for a log: use ${NAME_RULE}`);
  if (stdin !== undefined && Buffer.byteLength(stdin) > STDIN_BYTES) {
    throw new RangeError(`stdin is longer than ${STDIN_BYTES} bytes; use ctx.download({ text }, FILE) and < FILE`);
  }
  if (capture !== undefined && !(Number.isInteger(capture) && capture > 0 && capture <= CAPTURE_BYTES)) {
    throw new RangeError(`capture is ${capture}; give a number of bytes from 1 to ${CAPTURE_BYTES}`);
  }
  if (onLine !== undefined && typeof onLine !== 'function') throw new TypeError('onLine is no function');
  checkSecrets(env, 'env');
  const joined = { ...given.env, ...env };
  for (const [name, value] of Object.entries(joined)) {
    if (typeof value === 'string' || isSecretRef(value)) continue;
    throw new TypeError(`env ${name} is ${typeof value}; give a text, or secret('NAME')`);
  }
  return {
    command: typeof command === 'string' ? command : [...command],
    env: joined,
    log,
    ...(cwd !== undefined && { cwd }),
    ...(options.prepend !== undefined && { prepend: prependArg(options.prepend) }),
    ...(stdin !== undefined && { stdin }),
    ...(timeout !== null && { silenceMs: parseDuration(timeout) }),
    ...(maxTime !== undefined && { totalMs: parseDuration(maxTime) }),
    ...(killAfter !== undefined && { killAfterMs: parseDuration(killAfter) }),
    ...(logLimit !== undefined && { logMaxBytes: parseLogLimit(logLimit) }),
    ...(capture !== undefined && { capture }),
    ...(onLine && { isObserved: true }),
  };
}

/** The same for `ctx.reboot`; its command may be silent, as its time is limited anyway. */
export function rebootArgs(
  command: string | readonly string[],
  { within = DEFAULT_REBOOT, cwd, env, log }: RebootOptions,
  given: BuilderDefaults & { readonly log: string },
): Omit<RebootArgs, 'bootId'> {
  const options = {
    timeout: null,
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env }),
    ...(log !== undefined && { log }),
  };
  return { ...runArgs(command, options, given), withinMs: parseDuration(within) };
}

function checkCommand(command: string | readonly string[]): void {
  const words: readonly unknown[] = Array.isArray(command) ? command : [command];
  if (words.length === 0 || words[0] === '') throw new TypeError('ctx.run was given an empty command');
  if (words.length > COMMAND_WORDS) throw new RangeError(`ctx.run was given more than ${COMMAND_WORDS} arguments`);
  for (const word of words) {
    if (typeof word !== 'string') throw new TypeError('ctx.run takes a text, or a list of texts');
    if (word.includes('\0')) throw new TypeError('ctx.run was given a text with a NUL in it');
    if (word.length > COMMAND_CHARACTERS) {
      throw new RangeError(
        `ctx.run was given more than ${COMMAND_CHARACTERS} characters; use ctx.download({ text }, …)`,
      );
    }
  }
}

export function runResult(args: RunArgs, answer: RunAnswer): RunResult {
  const { status, exitCode, signal, ended } = answer;
  return {
    ok: status === 'exited' && exitCode === 0 && ended === undefined,
    exitCode: exitCode ?? null,
    signal: signal ?? null,
    timedOut: ended === 'silence' || ended === 'total' ? ended : null,
    summary: summaryOf(args, answer),
    durationMs: Math.max(0, answer.endedAtMs - answer.startedAtMs),
    output: answer.captured ?? '',
  };
}

function summaryOf(args: RunArgs, { status, exitCode, signal, ended, message }: RunAnswer): string {
  if (ended === 'silence') return `timed out after ${showDuration(args.silenceMs ?? 0)} without output`;
  if (ended === 'total') return `timed out after ${showDuration(args.totalMs ?? 0)} in all`;
  if (ended !== undefined) return message ?? `ended (${ended})`;
  if (status === 'refused') return message ?? 'could not be started';
  return status === 'signalled' ? `killed by ${signal ?? 'a signal'}` : `exit ${exitCode ?? '?'}`;
}
