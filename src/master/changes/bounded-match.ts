import { createContext, Script } from 'node:vm';
import picomatch from 'picomatch';
import type { TextPattern, TextRule } from '../../model/change-filter.ts';

/** Of one rule over `TEXTS_AT_ONCE`: some patterns take for ever over some texts, and both may be anybody's. */
const LIMIT_MS = 200;
/** All files of a change; of a repository's branches, which may be very many, a part. */
const TEXTS_AT_ONCE = 1_000;

interface Task {
  any: readonly RegExp[];
  none: readonly RegExp[];
  texts: readonly string[];
}

const task: Task = { any: [], none: [], texts: [] };
const context = createContext(task);
// What runs here can be ended from outside, a regular expression that backtracks without end as well.
const script = new Script(
  `texts.filter((text) => (any.length === 0 || any.some((one) => one.test(text))) && !none.some((one) => one.test(text)))`,
);

/** Whether a rule means one of the texts; throws as `meant` does. */
export function meansOneOf(rule: TextRule, texts: readonly string[]): boolean {
  return meant(rule, texts).length > 0;
}

/**
 * Those of the texts that a rule means. Throws when so many cannot be told within `LIMIT_MS`, or a pattern is none. In a glob `*` is
 * everything but `/`, `**` everything.
 */
export function meant({ any, none }: TextRule, texts: readonly string[]): readonly string[] {
  if ([...any, ...none].every((pattern) => 'is' in pattern)) return texts.filter((text) => isMeant(any, none, text));
  task.any = any.map(expression);
  task.none = none.map(expression);
  const found: string[] = [];
  for (let from = 0; from < texts.length; from += TEXTS_AT_ONCE) {
    task.texts = texts.slice(from, from + TEXTS_AT_ONCE);
    found.push(...meantOfTask());
  }
  return found;
}

function meantOfTask(): readonly string[] {
  try {
    return script.runInContext(context, { timeout: LIMIT_MS }) as readonly string[];
  } catch (error) {
    // It is no Error of ours, but of the context that it was thrown in.
    if ((error as { readonly code?: unknown } | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new RangeError(`its patterns took longer than ${LIMIT_MS} ms: write simpler ones`, { cause: error });
  }
}

function isMeant(any: readonly TextPattern[], none: readonly TextPattern[], text: string): boolean {
  const isIn = (patterns: readonly TextPattern[]): boolean =>
    patterns.some((pattern) => 'is' in pattern && pattern.is === text);
  return (any.length === 0 || isIn(any)) && !isIn(none);
}

function expression(pattern: TextPattern): RegExp {
  if ('is' in pattern) return new RegExp(`^${pattern.is.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)}$`, 'u');
  if ('regex' in pattern) return new RegExp(pattern.regex, pattern.flags);
  // Names that begin with a dot are names like others; `(…)` and a leading `#` or `!` are no syntax.
  return picomatch.makeRe(pattern.glob, { dot: true, noextglob: true, nonegate: true, strictSlashes: true });
}
