import { boundChange } from '../changes/bound-change.ts';
import { CHANGES_AT_ONCE, changesOf, TOO_MANY_CHANGES } from '../changes/read-changes.ts';
import type { HookEvent } from './hook-event.ts';

/** Those fields of a form whose text is JSON. */
const AS_JSON = new Set(['files', 'properties']);

/** Changes in the words of `sendchange --json-stdin`, from whatever can sign them: all of them, or an error that says what is wrong. */
export function readGeneric(_event: string, payload: unknown): HookEvent {
  const told = changesOf(payload);
  if (told.length === 0) throw new Error('no change came');
  if (told.length > CHANGES_AT_ONCE) throw new Error(TOO_MANY_CHANGES);
  for (const change of told) boundChange(change);
  return { told };
}

/** The same as a form of one change. Throws an error that names the field whose JSON is none. */
export function genericForm(form: string): unknown {
  const fields = [...new URLSearchParams(form)].map(([name, text]) => [
    name,
    AS_JSON.has(name) ? json(name, text) : text,
  ]);
  return Object.fromEntries(fields);
}

function json(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name} is no JSON`, { cause: error });
  }
}
