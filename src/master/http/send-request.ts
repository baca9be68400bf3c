import { errorText } from '../../base/errors.ts';
import type { HttpMethod } from '../../model/http.ts';

/** A request as it goes out, secrets and all. */
export interface Outgoing {
  readonly method: HttpMethod;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Something in it is for this host alone. */
  readonly isPrivate: boolean;
}

export interface Incoming {
  /** Where it came from in the end. */
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** There was more of it. */
  readonly isCut: boolean;
  /** Where it leads, when that was not followed. */
  readonly redirect?: string;
}

/** Of an answer; what is beyond is not read. */
const MOST_BYTES = 1024 * 1024;
const MOST_REDIRECTS = 5;
const FOLLOWED: readonly HttpMethod[] = ['GET', 'HEAD', 'OPTIONS'];
/** They tell who asks, to the host that they were given for. */
const CREDENTIALS = /^(?:authorization|cookie|proxy-authorization|.*(?:token|api-?key|secret).*)$/i;

/**
 * Sends a request and reads what is answered. Redirects are followed for what only asks, never from https to http, and not to another
 * origin with what is for this one. Rejects with the signal's reason, or with why there is no answer.
 */
export async function sendRequest(out: Outgoing, signal: AbortSignal): Promise<Incoming> {
  const isPrivate = out.isPrivate || Object.keys(out.headers).some((name) => CREDENTIALS.test(name));
  let url = new URL(out.url);
  for (let followed = 0; ; followed += 1) {
    const response = await ask(url, out, signal);
    const next = locationOf(response, url);
    const mayFollow = FOLLOWED.includes(out.method) && (!isPrivate || next?.origin === url.origin);
    if (next && mayFollow && followed < MOST_REDIRECTS && !(url.protocol === 'https:' && next.protocol === 'http:')) {
      await response.body?.cancel();
      url = next;
      continue;
    }
    const { body, isCut } = await read(response);
    const { status } = response;
    const headers = Object.fromEntries(response.headers);
    return { url: url.href, status, headers, body, isCut, ...(next && { redirect: next.href }) };
  }
}

async function ask(url: URL, { method, headers, body }: Outgoing, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      headers: { 'user-agent': 'trunkline', ...headers },
      ...(body !== undefined && { body }),
      redirect: 'manual',
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    // Its own words are "fetch failed"; what happened is behind it.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Error(`no answer from ${url.host}: ${errorText(cause) || 'the connection failed'}`, { cause: error });
  }
}

function locationOf({ status, headers }: Response, url: URL): URL | undefined {
  const location = headers.get('location');
  if (status < 300 || status >= 400 || location === null || !URL.canParse(location, url.href)) return undefined;
  const next = new URL(location, url);
  return next.protocol === 'https:' || next.protocol === 'http:' ? next : undefined;
}

async function read(response: Response): Promise<Pick<Incoming, 'body' | 'isCut'>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop lets go of the rest, and of the connection.
  for await (const piece of response.body ?? []) {
    pieces.push(piece as Uint8Array);
    bytes += (piece as Uint8Array).byteLength;
    if (bytes > MOST_BYTES) break;
  }
  const whole = Buffer.concat(pieces);
  return { body: whole.toString('utf8', 0, MOST_BYTES), isCut: whole.length > MOST_BYTES };
}
