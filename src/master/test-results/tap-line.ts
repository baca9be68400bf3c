import type { TestState } from '../../model/test-result.ts';

/** A line of TAP 13 or 14 without its indentation. What means nothing is `other`, as TAP wants it. */
export type TapLine =
  | { readonly kind: 'point'; readonly name: string; readonly state: TestState; readonly reason: string | undefined }
  | { readonly kind: 'plan'; readonly count: number; readonly reason: string | undefined }
  | { readonly kind: 'subtest'; readonly name: string }
  | { readonly kind: 'bail'; readonly reason: string }
  | { readonly kind: 'other' };

// With `s`: a carriage return within a line, of coloured output say, is a character like others.
const POINT = /^(not )?ok\b(?:\s+\d+)?(?:\s+-(?=\s|$))?\s*(.*)$/s;
const PLAN = /^1\.\.(\d{1,9})\s*(?:#\s*(.*))?$/s;
const SUBTEST = /^# Subtest(?::\s*(.*))?$/s;
const BAIL = /^Bail out!\s*(.*)$/is;
/** `# SKIP reason`, `# todo reason`; a `#` behind a backslash is none. */
const DIRECTIVE = /\s#\s*(skip|todo)\S*\s*(.*)$/is;

export function tapLine(line: string): TapLine {
  const point = POINT.exec(line);
  if (point) return pointOf(point[1] === undefined, point[2] ?? '');
  const plan = PLAN.exec(line);
  if (plan) return { kind: 'plan', count: Number(plan[1]), reason: plan[2] };
  const subtest = SUBTEST.exec(line);
  if (subtest) return { kind: 'subtest', name: unescaped(subtest[1] ?? '') };
  const bail = BAIL.exec(line);
  return bail ? { kind: 'bail', reason: bail[1] ?? '' } : { kind: 'other' };
}

function pointOf(isOk: boolean, rest: string): TapLine {
  // Behind a blank, so that a description which is nothing but a directive has one.
  const directive = DIRECTIVE.exec(` ${rest}`);
  const name = unescaped((directive ? ` ${rest}`.slice(0, directive.index) : rest).trim());
  if (!directive) return { kind: 'point', name, state: isOk ? 'passed' : 'failed', reason: undefined };
  const isTodo = directive[1]?.toLowerCase() === 'todo';
  const told = [...(isTodo ? ['todo'] : []), ...(directive[2] ? [unescaped(directive[2])] : [])].join(': ');
  // What is still to be done may fail, and when it does not it has passed.
  return { kind: 'point', name, state: isTodo && isOk ? 'passed' : 'skipped', reason: told === '' ? undefined : told };
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([\\#])/g, '$1');
}
