import { createHmac } from 'node:crypto';
import type { WebhookShape } from '../../config/shape.ts';
import type { OutboxMessage } from '../../model/outbox.ts';
import type { Outcome } from './outcome.ts';
import { readSecret } from './read-secret.ts';

/** Of an answer; nothing in it is kept. */
const MOST_ANSWER_BYTES = 64 * 1024;

/**
 * Posts a message's body as JSON. `Trunkline-Signature` is the HMAC-SHA256 of `TIMESTAMP.BODY`, so that neither is another's and an
 * old post cannot be said again later. Rejects when nobody answered.
 */
export async function postWebhook(
  { url, secretFile }: WebhookShape,
  { key, body }: OutboxMessage,
  { dir, nowMs, signal }: { readonly dir: string; readonly nowMs: number; readonly signal: AbortSignal },
): Promise<Outcome> {
  const secret = secretFile === undefined ? undefined : await readSecret('the secret file', dir, secretFile);
  const text = JSON.stringify(body);
  const timestamp = String(Math.floor(nowMs / 1_000));
  const response = await fetch(url, {
    method: 'POST',
    body: text,
    // One that is followed would carry the message, and its signature, wherever the answer says.
    redirect: 'manual',
    signal,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'trunkline',
      'trunkline-id': key,
      'trunkline-timestamp': timestamp,
      ...(secret !== undefined && { 'trunkline-signature': `sha256=${sign(secret, timestamp, text)}` }),
    },
  });
  // What it said stands, whatever becomes of the rest.
  await drain(response).catch(() => undefined);
  const { status } = response;
  if (response.ok) return 'sent';
  if (status >= 300 && status < 400) {
    return { why: `it answered ${status}, and redirects are not followed: configure where it leads`, isFinal: true };
  }
  return { why: `it answered ${status}`, isFinal: status !== 429 && status < 500 };
}

function sign(secret: string, timestamp: string, text: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${text}`).digest('hex');
}

async function drain(response: Response): Promise<void> {
  if (!response.body) return;
  let bytes = 0;
  // Leaving the loop lets go of the rest, and of the connection.
  for await (const piece of response.body) {
    bytes += (piece as Uint8Array).byteLength;
    if (bytes > MOST_ANSWER_BYTES) return;
  }
}
