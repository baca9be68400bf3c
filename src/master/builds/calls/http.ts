import type { Clock } from '../../../base/clock.ts';
import { errorText } from '../../../base/errors.ts';
import type { HttpAnswer, HttpArgs } from '../../../config/calls.ts';
import type { StepAnswer } from '../../../config/code-host.ts';
import { showDuration } from '../../../config/duration.ts';
import type { Json } from '../../../model/json.ts';
import { isSecretRef, secretsIn } from '../../../model/secret.ts';
import type { SecretRef } from '../../../model/secret.ts';
import type { Log } from '../../../model/log.ts';
import type { Store } from '../../../store/store.ts';
import { sendRequest } from '../../http/send-request.ts';
import type { Incoming, Outgoing } from '../../http/send-request.ts';
import type { BuildSecrets } from '../../secrets/build-secrets.ts';
import { SecretError } from '../../secrets/secret-error.ts';
import { exception } from '../journal.ts';
import { appendText } from '../step-log.ts';

export interface HttpTools {
  readonly store: Pick<Store, 'logs'>;
  readonly clock: Clock;
}

/** Of an answer the step's function is given so much; all that was read is in the log. */
const BODY_CHARACTERS = 64 * 1024;
const MOST_HEADERS = 100;
const HEADER_CHARACTERS = 4_096;

/**
 * Does what a call `http` asks, and writes what was said on both sides into the log, without secrets. `isFresh`: nobody has begun it
 * before; what may not be repeated is otherwise not. Rejects with the signal's reason.
 */
export async function doRequest(
  { store, clock }: HttpTools,
  secrets: BuildSecrets,
  args: HttpArgs,
  log: Log | undefined,
  isFresh: boolean,
  signal: AbortSignal,
): Promise<StepAnswer> {
  const asked = `${args.method} ${isSecretRef(args.url) ? `secret ${args.url.name}` : args.url}`;
  if (!isFresh && !args.mayRepeat) {
    return exception(
      `the outcome of ${asked} is unknown: it was under way when the master ended, and is not marked idempotent`,
    );
  }
  const write = async (text: string): Promise<void> => {
    if (log && log.length === 0) await appendText(store.logs, log, secrets.text(text), clock.now());
  };
  let out: Outgoing;
  try {
    out = outgoing(args, await secrets.give(secretsIn(args)));
  } catch (error) {
    if (error instanceof SecretError) return exception(error.message);
    if (error instanceof TypeError) return { error: `http: ${error.message}` };
    throw error;
  }
  const limit = new AbortController();
  const slow = `no answer within ${showDuration(args.timeoutMs)}`;
  const cancelLimit = clock.after(args.timeoutMs, () => limit.abort(new Error(slow)));
  const startedAt = clock.monotonic();
  const tookMs = (): number => Math.round(clock.monotonic() - startedAt);
  try {
    const answer = await sendRequest(out, AbortSignal.any([signal, limit.signal]));
    const durationMs = tookMs();
    await write(`${requestText(out)}\n${answerText(answer, durationMs)}`);
    // Before anything is cut off: of a half nobody knows what it was.
    return { ok: known(secrets.value(answer), durationMs) };
  } catch (error) {
    signal.throwIfAborted();
    const problem = limit.signal.aborted ? slow : errorText(error);
    await write(`${requestText(out)}\n${problem}\n`);
    return { ok: { problem: secrets.text(problem), durationMs: tookMs() } };
  } finally {
    cancelLimit();
  }
}

function known({ status, headers, body, isCut, redirect }: Incoming, durationMs: number): HttpAnswer {
  const kept = Object.entries(headers).slice(0, MOST_HEADERS);
  return {
    status,
    headers: Object.fromEntries(kept.map(([name, value]) => [name, value.slice(0, HEADER_CHARACTERS)])),
    body: body.slice(0, BODY_CHARACTERS),
    isCut: isCut || body.length > BODY_CHARACTERS,
    durationMs,
    ...(redirect !== undefined && { redirect }),
  };
}

/** Throws a `TypeError` when a secret is not what stands in such a place. */
function outgoing(
  { method, url, headers, body, json, hasSecrets }: HttpArgs,
  values: ReadonlyMap<string, string>,
): Outgoing {
  const valueOf = (given: string | SecretRef): string => (isSecretRef(given) ? (values.get(given.name) ?? '') : given);
  const resolved = Object.entries(headers).map(([name, value]) => [name, headerValue(name, valueOf(value))] as const);
  const isJson = json !== undefined && !resolved.some(([name]) => name.toLowerCase() === 'content-type');
  const target = valueOf(url);
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target))
    throw new TypeError('the secret is no URL of http or https');
  return {
    method,
    url: target,
    headers: { ...(isJson && { 'content-type': 'application/json' }), ...Object.fromEntries(resolved) },
    body: json === undefined ? body && valueOf(body) : JSON.stringify(withSecrets(json, values)),
    isPrivate: hasSecrets,
  };
}

function headerValue(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new TypeError(`the secret for the header ${name} has more than one line`);
  return value;
}

function withSecrets(value: Json, values: ReadonlyMap<string, string>): Json {
  if (isSecretRef(value)) return values.get(value.name) ?? '';
  if (Array.isArray(value)) return value.map((one: Json) => withSecrets(one, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withSecrets(one, values)]));
}

function requestText({ method, url, headers, body }: Outgoing): string {
  return `${method} ${url}\n${headersText(headers)}${body === undefined ? '' : `\n${endingLine(body)}`}`;
}

function answerText({ status, headers, body, isCut, url }: Incoming, durationMs: number): string {
  const cut = isCut ? 'trunkline: there was more, which was not read\n' : '';
  return `status ${status} from ${url} after ${durationMs} ms\n${headersText(headers)}\n${body === '' ? '' : endingLine(body)}${cut}`;
}

function headersText(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

function endingLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
