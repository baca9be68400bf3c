import { createHash } from 'node:crypto';
import type { LogArgs } from '../../../config/calls.ts';
import type { Json } from '../../../model/json.ts';
import type { Redactor } from '../../secrets/build-secrets.ts';
import type { BuildTools } from '../build-tools.ts';
import type { Performed } from '../journal.ts';
import { appendText } from '../step-log.ts';

/**
 * What the record keeps of the call: the text is in the log already. Its hash is of what the step's function gave, so that it is the same
 * when the function runs again and the build has been given a secret meanwhile.
 */
export function recordOfLog({ log, text }: LogArgs): { readonly [key: string]: Json } {
  return { log, bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}

/** Writes the whole text, without secrets; what a master that was killed has written of it is not written again. */
export async function writeLog(
  { store, clock }: Pick<BuildTools, 'store' | 'clock'>,
  secrets: Pick<Redactor, 'text'>,
  command: string,
  { text }: LogArgs,
): Promise<Performed> {
  const { logs } = store;
  const log = await logs.findByCommand(command);
  if (!log) throw new Error(`the log of command ${command} is gone`);
  await appendText(logs, log, secrets.text(text), clock.now());
  return { answer: { ok: null }, also: () => logs.complete(log.id, clock.now()) };
}
