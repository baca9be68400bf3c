import type { StepReport } from '../code-host.ts';

/** Ends a step as a failure when its function lets it pass: `ctx.fail`, or a file operation that was refused. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
}

const SUMMARY_CHARACTERS = 500;
const DETAIL_CHARACTERS = 16 * 1024;
const DEEPEST_CAUSE = 8;

/** What was thrown in user code, as the end of its step. */
export function reportOf(error: unknown, prefix = ''): StepReport {
  if (error instanceof StepFailure && prefix === '') {
    return { result: 'failure', summary: cut(error.message, SUMMARY_CHARACTERS) };
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `${textOf(error)} was thrown`;
  const detail = error instanceof Error ? detailOf(error) : undefined;
  return {
    result: 'exception',
    summary: cut(`${prefix}${text.split('\n', 1)[0] ?? ''}`, SUMMARY_CHARACTERS),
    ...(detail !== undefined && { detail: cut(detail, DETAIL_CHARACTERS) }),
  };
}

/** Frames that are not the user's: Node's own, and those of this folder. */
const OUR_FRAME = /^\s+at .*(?:\(?node:|\/config\/thread\/)/;
/** The folder the bundle was loaded from is gone; the rest of the path is relative to the configuration. */
const LOADED_FROM = /(?:file:\/\/)?[^\s()]*\/trunkline-config-\w+\//g;

/** The stack without frames of others, and what caused it. */
export function detailOf(error: Error, depth = 0): string {
  const stack = (error.stack ?? `${error.name}: ${error.message}`)
    .split('\n')
    .filter((line) => !OUR_FRAME.test(line))
    .join('\n')
    .replaceAll(LOADED_FROM, '');
  const { cause } = error;
  if (cause === undefined || depth === DEEPEST_CAUSE) return stack;
  return `${stack}\ncaused by: ${cause instanceof Error ? detailOf(cause, depth + 1) : textOf(cause)}`;
}

/** What was thrown, and where in the user's files. */
export function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  const [first = error.message, ...rest] = detailOf(error).split('\n');
  const place = rest.map((line) => /^\s+at .*?([^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1]).find((found) => found);
  return place === undefined ? first : `${first} (at ${place})`;
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    // An object whose own conversion throws: its kind is all that can be told.
    return typeof value;
  }
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}
