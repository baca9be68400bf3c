import { createTransport } from 'nodemailer';
import { errorCode } from '../../base/errors.ts';
import type { MailShape } from '../../config/shape.ts';
import type { OutboxMessage } from '../../model/outbox.ts';
import type { Outcome } from './outcome.ts';
import { readSecret } from './read-secret.ts';

/** What the server says no to: the address, or the mail. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EENVELOPE', 'EMESSAGE']);
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/;

/**
 * Sends a message as a mail of plain text over a connection of its own. Its Message-ID is made of the message's key, so that a
 * reader's program knows a second copy. A password is given over an encrypted line only. Rejects when it could not be sent for now.
 */
export async function sendMail(
  { from, smtp }: MailShape,
  { key, to, subject, body, createdAtMs }: OutboxMessage,
  dir: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const { host, port, secure, login } = smtp;
  const pass = login && (await readSecret('the password file', dir, login.passwordFile));
  const transport = createTransport({
    host,
    port,
    secure,
    requireTLS: login !== undefined,
    // A mail server beside us offers TLS with a certificate that nobody has signed, and the line leaves the machine nowhere.
    ignoreTLS: login === undefined && LOOPBACK.test(host),
    ...(login && { auth: { user: login.user, pass } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to,
      subject,
      text: body.text,
      messageId: `<${key}@${from.slice(from.indexOf('@') + 1)}>`,
      date: new Date(createdAtMs),
      headers: { 'Auto-Submitted': 'auto-generated', 'Trunkline-Id': key },
      xMailer: false,
      signal,
    });
    return 'sent';
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error) || !REFUSALS.has(errorCode(error)) || !isPermanent(error)) throw error;
    return { why: error.message, isFinal: true };
  } finally {
    transport.close();
  }
}

/** RFC 5321, 4.2.1: by the first digit of its reply. */
function isPermanent(error: Error): boolean {
  return 'responseCode' in error && Number(error.responseCode) >= 500;
}
