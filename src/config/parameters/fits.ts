import { runInNewContext } from 'node:vm';

/** A pattern that goes over a text again and again is given up: the master has others to serve. */
const LIMIT_MS = 100;

/** Whether the whole of a text fits a regular expression. */
export function fits(pattern: string, text: string): boolean | 'too long' {
  try {
    const source = `^(?:${pattern})$`;
    return runInNewContext('new RegExp(source, "u").test(text)', { source, text }, { timeout: LIMIT_MS }) as boolean;
  } catch (error) {
    // An error of the other realm, perhaps: it need not be an Error of ours.
    if ((error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too long';
    throw error;
  }
}
