import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { mayActAs } from '../model/principal.ts';
import { OperatorError } from '../master/operator.ts';
import type { Asker, Operator, OperatorErrorCode } from '../master/operator.ts';
import type { PersonCall } from '../transport/person-call.ts';
import { readArguments } from './arguments.ts';
import { allowed, article, helpLines, helpOf, helpPage, helpView } from './help.ts';
import { plain, plainLines } from '../base/plain.ts';
import { noVerb, verbsOf } from './no-verb.ts';
import { EX_NOT_FOUND, EX_NO_RIGHT, EX_SOFTWARE, EX_UNAVAILABLE, EX_USAGE, UsageError } from './verb.ts';
import type { Verb } from './verb.ts';
import { VERBS } from './verbs/all.ts';
import { WordsError, splitWords } from './words.ts';

const STATUS_OF: Readonly<Record<OperatorErrorCode, number>> = {
  usage: EX_USAGE,
  'not-found': EX_NOT_FOUND,
  forbidden: EX_NO_RIGHT,
  conflict: EX_UNAVAILABLE,
  unavailable: EX_UNAVAILABLE,
};

/** The longest name of a verb, `worker add`. */
const WORDS_OF_VERB = 2;

export interface FrontDoor {
  readonly operator: Operator;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Answers one `ssh NAME@HOST VERB …`: finds the verb, runs it, exits with its status; a mistake is one line on stderr. */
export async function answerCall(door: FrontDoor, asker: Asker, call: PersonCall): Promise<void> {
  try {
    call.exit(await run(door, asker, call));
  } catch (error) {
    if (call.signal.aborted) return call.exit(EX_UNAVAILABLE);
    const [message, status] = tell(error);
    if (status === EX_SOFTWARE)
      // Not the words after it: a secret may be among them.
      door.logger.error('a verb failed', { who: asker.name, verb: verbOf(call.command), error: explain(error) });
    await call.writeError(plainLines(`trunkline: ${message}\n`));
    call.exit(status);
  }
}

async function run(door: FrontDoor, asker: Asker, call: PersonCall): Promise<number> {
  const words = splitWords(call.command);
  // Here once for all verbs: nothing that a terminal acts on leaves in a text, whatever a name, a reason or a worker holds.
  const write = (data: string | Uint8Array): Promise<void> =>
    call.write(typeof data === 'string' ? plainLines(data) : data);
  const [first, ...rest] = words;
  if (first === undefined || first === 'help' || first === '--help') return await help(asker, rest, write);
  const verb = findVerb(words);
  if (!verb) throw noVerb(VERBS, words);
  if (!mayActAs(asker.role, verb.role)) {
    const why = `"${verb.name}" is for ${verb.role}s; ${asker.name} is ${article(asker.role)}: ask an operator`;
    const target = words.slice(verb.name.split(' ').length).join(' ');
    if (verb.role !== 'reader') await door.operator.noteRefusal(asker, { action: verb.name, target, why });
    throw new OperatorError('forbidden', why);
  }
  const args = words.slice(verb.name.split(' ').length);
  if (args.includes('--help')) {
    await write(helpOf(verb));
    return 0;
  }
  try {
    const { operator, clock } = door;
    const { signal, isTerminal, stdin, arrivedAt } = call;
    const readStdin = (maxBytes: number): Promise<string> => readAll(call, maxBytes);
    return await verb.run({ operator, asker, clock, args, stdin, readStdin, write, signal, isTerminal, arrivedAt });
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message}; usage: ${verb.usage}`, { cause: error });
    throw error;
  }
}

function verbOf(command: string): string {
  return findVerb(splitWords(command))?.name ?? 'help';
}

function findVerb(words: readonly string[]): Verb | undefined {
  return VERBS.find((verb) => verb.name === words.slice(0, verb.name.split(' ').length).join(' '));
}

async function help(asker: Asker, words: readonly string[], write: (text: string) => Promise<void>): Promise<number> {
  const { values, positionals } = readArguments(words, { json: { type: 'boolean' } }, { min: 0, max: WORDS_OF_VERB });
  if (positionals.length === 0) {
    const all = allowed(VERBS, asker).map(helpView);
    await write(values.json ? `${JSON.stringify(all)}\n` : helpPage(VERBS, asker));
    return 0;
  }
  const verb = findVerb(positionals);
  if (verb) {
    await write(values.json ? `${JSON.stringify(helpView(verb))}\n` : helpOf(verb));
    return 0;
  }
  const ofNoun = positionals.length === 1 ? allowed(verbsOf(VERBS, positionals[0] ?? ''), asker) : [];
  if (ofNoun.length === 0) throw noVerb(VERBS, positionals);
  await write(values.json ? `${JSON.stringify(ofNoun.map(helpView))}\n` : helpLines(ofNoun));
  return 0;
}

async function readAll(call: PersonCall, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of call.stdin) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new UsageError(`standard input is longer than ${maxBytes} bytes`);
    pieces.push(Uint8Array.from(piece));
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The line for the caller, and the exit status. */
function tell(error: unknown): readonly [string, number] {
  if (error instanceof UsageError || error instanceof WordsError) return [plain(error.message), EX_USAGE];
  if (error instanceof OperatorError) return [plain(error.message), STATUS_OF[error.code]];
  return [`something went wrong in the master (${plain(errorText(error))}); its log says more`, EX_SOFTWARE];
}

function explain(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
