import { HTTP_METHODS, isRepeatable } from '../../model/http.ts';
import { isSecretRef, secretsIn } from '../../model/secret.ts';
import type { HttpAnswer, HttpArgs } from '../calls.ts';
import { parseDuration } from '../duration.ts';
import type { HttpOptions, HttpResult } from '../step-context.ts';
import { checkSecrets } from './made-secrets.ts';
import { toJson } from './open-run.ts';

const DEFAULT_TIMEOUT = '1m';
/** Node's own client waits no longer for the begin of an answer. */
const LONGEST = '5m';
/** It is in the record of the call. */
const BODY_BYTES = 256 * 1024;
const MOST_HEADERS = 100;

/** Checks what `ctx.http` was given. */
export function httpArgs(given: HttpOptions, log: string): HttpArgs {
  const { url, method = given.body === undefined && given.json === undefined ? 'GET' : 'POST', headers = {} } = given;
  const { body, json, timeout = DEFAULT_TIMEOUT, idempotent } = given;
  if (!HTTP_METHODS.includes(method)) throw new TypeError(`the method is none of ${HTTP_METHODS.join(', ')}`);
  checkSecrets([url, headers, body, json], 'the request');
  if (typeof url === 'string') checkUrl(url);
  else if (!isSecretRef(url)) throw new TypeError("url is no text, or secret('NAME')");
  if (Object.keys(headers).length > MOST_HEADERS) throw new RangeError(`more than ${MOST_HEADERS} headers were given`);
  for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
  if (body !== undefined && json !== undefined) throw new TypeError('both body and json were given');
  if (body !== undefined && typeof body !== 'string' && !isSecretRef(body)) {
    throw new TypeError("body is no text, or secret('NAME')");
  }
  const hasBody = body !== undefined || json !== undefined;
  if (hasBody && (method === 'GET' || method === 'HEAD')) throw new TypeError(`a ${method} has no body`);
  const content = json === undefined ? undefined : toJson(json, 'json');
  if (Buffer.byteLength(typeof body === 'string' ? body : JSON.stringify(content ?? null)) > BODY_BYTES) {
    throw new RangeError(`the body has more than ${BODY_BYTES} bytes; send a file with a command of the worker`);
  }
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs > parseDuration(LONGEST)) throw new RangeError(`timeout is longer than ${LONGEST}`);
  return {
    method,
    url,
    headers: { ...headers },
    ...(body !== undefined && { body }),
    ...(content !== undefined && { json: content }),
    timeoutMs,
    mayRepeat: idempotent ?? isRepeatable(method),
    hasSecrets: secretsIn([url, headers, body, content]).length > 0,
    log,
  };
}

function checkUrl(text: string): void {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError(`${JSON.stringify(text.slice(0, 200))} is no URL`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new TypeError(`a URL of ${url.protocol} is not asked for`);
  if (url.username !== '' || url.password !== '') {
    throw new TypeError(
      "a URL with a password in it is shown to everybody: use headers: { authorization: secret('NAME') }",
    );
  }
}

function checkHeader(name: string, value: unknown): void {
  if (!/^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a header`);
  if (isSecretRef(value)) return;
  // A value with a new line in it would be another header.
  if (typeof value !== 'string' || !/^[\t\u0020-\u007e\u0080-\u00ff]{0,8192}$/.test(value)) {
    throw new TypeError(`the header ${name} is no text of one line, or secret('NAME')`);
  }
}

/** `expect`: the statuses that are well; 200 to 299 if nothing is said. */
export function httpResult(args: HttpArgs, expect: HttpOptions['expect'], answer: HttpAnswer): HttpResult {
  if ('problem' in answer) {
    return {
      ok: false,
      status: null,
      headers: {},
      body: '',
      isCut: false,
      summary: answer.problem,
      durationMs: answer.durationMs,
    };
  }
  const { status, headers, body, isCut, durationMs, redirect } = answer;
  const wanted = expect === undefined ? undefined : typeof expect === 'number' ? [expect] : expect;
  const ok = wanted ? wanted.includes(status) : status >= 200 && status < 300;
  const to = redirect === undefined ? '' : `, not followed to ${redirect}`;
  return { ok, status, headers, body, isCut, durationMs, summary: `${args.method}: status ${status}${to}` };
}
