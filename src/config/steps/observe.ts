import { worse } from '../../model/result.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Result } from '../../model/result.ts';
import type { StepContext } from '../step-context.ts';

/** What an observer has found in the output of a command. */
export interface Found {
  readonly properties?: JsonObject;
  /** For people: a part of the step's summary. */
  readonly summary?: string;
  /** The step's, when it is worse than what the command came to. */
  readonly result?: Result;
}

/** Reads the output of a step's command, as `matchLines` and `countLines` do. */
export interface LineObserver {
  /** Asked for each command: what is counted is of that one alone. */
  readonly begin: () => { readonly line: (line: string) => void; readonly end: () => Found };
}

export interface CountOptions {
  /** Set to the count, also when it is 0. */
  readonly property?: string;
  /** Told when the count is not 0. */
  readonly summary?: (count: number) => string;
  /** The step's when the count is not 0, and the command did not come to worse. */
  readonly result?: Result;
}

/** Of what the function gives for the lines that match, the last of each property, summary and result counts. */
export function matchLines(
  pattern: RegExp,
  found: (match: RegExpExecArray) => Found | undefined | void,
): LineObserver & { readonly pattern: RegExp; readonly found: typeof found } {
  return {
    pattern,
    found,
    begin: () => {
      const own = stateless(pattern);
      let all: Found = {};
      return {
        line(line) {
          const match = own.exec(line);
          const more = (match && found(match)) ?? {};
          all = { ...all, ...more, properties: { ...all.properties, ...more.properties } };
        },
        end: () => all,
      };
    },
  };
}

/** Counts the lines that match. */
export function countLines(
  pattern: RegExp,
  options: CountOptions,
): LineObserver & { readonly pattern: RegExp; readonly options: CountOptions } {
  const { property, summary, result } = options;
  return {
    pattern,
    options,
    begin: () => {
      const own = stateless(pattern);
      let count = 0;
      return {
        line(line) {
          if (own.test(line)) count += 1;
        },
        end: () => ({
          ...(property !== undefined && { properties: { [property]: count } }),
          ...(count > 0 && { ...(summary && { summary: summary(count) }), ...(result && { result }) }),
        }),
      };
    },
  };
}

/** With `g` or `y` a pattern goes on where it last matched, in another line. */
export function stateless(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
}

/** Reads one command: `onLine` is for its options, `end` joins what came of it with what was found. */
export function observeAll(observers: readonly LineObserver[]): {
  readonly onLine: (line: string) => void;
  readonly end: (ctx: StepContext, own: StepEnd) => Promise<StepEnd>;
} {
  const all = observers.map((one) => one.begin());
  return {
    onLine(line) {
      for (const one of all) one.line(line);
    },
    async end(ctx, own) {
      let { result } = own;
      const told = own.summary === undefined ? [] : [own.summary];
      for (const one of all) {
        const found = one.end();
        for (const [name, value] of Object.entries(found.properties ?? {})) await ctx.setProperty(name, value);
        if (found.summary !== undefined) told.push(found.summary);
        if (found.result !== undefined) result = worse(result, found.result);
      }
      return { result, ...(told.length > 0 && { summary: told.join(', ') }) };
    },
  };
}

interface StepEnd {
  readonly result: Result;
  readonly summary?: string;
}
