import { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { errorText } from '../base/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Subsystem } from './carrier.ts';
import { fingerprint } from './keys.ts';
import type { Line } from './line.ts';
import { ALGORITHMS, HOST_KEY_TYPES } from './ssh-algorithms.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { SshConnectError } from './ssh-connect-error.ts';
import type { SshConnectCode } from './ssh-connect-error.ts';
import { peerPacketBytes } from './ssh2-internals.ts';

const BANNER_MAX = 1_000;
/** Reasons of sshd for a channel that it did not open (RFC 4254, section 5.1); without one the connection was lost. */
const FORWARD_FAILURES: ReadonlyMap<unknown, { readonly code: SshConnectCode; readonly verb: string }> = new Map([
  [1, { code: 'forward-refused', verb: 'does not forward to' }],
  [2, { code: 'forward-failed', verb: 'cannot reach' }],
]);

export interface LoginOptions {
  /** Its stream may still be connecting. Destroyed when the login fails. */
  readonly line: Line;
  /** Who is at the end of it, for messages. */
  readonly where: string;
  readonly isJumpHost: boolean;
  readonly user: string;
  /** The text of the key file; without one, only the host key is looked at. */
  readonly privateKey: string | undefined;
  /** Of the whole, from the connection on. */
  readonly timeoutMs: number;
  readonly isTrusted: (hostKey: Buffer) => boolean;
}

export type Ssh2Client = ssh2.Client;

/** Logs in over a line. Rejects with an SshConnectError; the caller owns the line when it resolves. */
export function login(options: LoginOptions): Promise<Ssh2Client> {
  const { line, where, user, isJumpHost } = options;
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    const { stream } = line;
    let isConnected = !(stream instanceof Socket && stream.connecting);
    let banner = '';
    const fail = (code: SshConnectCode, text: string, cause?: unknown): void => {
      stream.destroy();
      reject(new SshConnectError(code, text, cause, isJumpHost));
    };
    stream.once('connect', () => (isConnected = true));
    client.on('banner', (text: string) => (banner = printable(text)));
    client.on('error', (error: Error & { readonly level?: string }) => {
      if (error instanceof SshConnectError) {
        // What carries the line has told what is wrong with it.
        reject(error);
      } else if (error.level === 'client-authentication') {
        const said = banner === '' ? '' : ` (it says: ${banner})`;
        fail('refused-login', `${where} refused the login of ${user}${said}`, error);
      } else if (error.level === 'client-timeout') {
        fail('timeout', `${where} did not let us in in time`, error);
      } else if (isConnected) {
        fail('lost', `${where} ended the login: ${error.message}`, error);
      } else {
        fail('unreachable', `${where} cannot be reached: ${error.message}`, error);
      }
    });
    client.on('close', () => {
      if (banner !== '') fail('refused-login', `${where} refused the login of ${user}: ${banner}`);
      else fail('lost', `${where} closed the connection during the login`);
    });
    client.on('ready', () => resolve(client));
    try {
      client.connect({
        sock: stream,
        username: user,
        readyTimeout: options.timeoutMs,
        algorithms: {
          kex: [...ALGORITHMS.kex],
          cipher: [...ALGORITHMS.cipher],
          compress: [...ALGORITHMS.compress],
          serverHostKey: [...HOST_KEY_TYPES],
        },
        hostVerifier: options.isTrusted,
        ...(options.privateKey === undefined ? {} : { privateKey: options.privateKey }),
        authHandler: options.privateKey === undefined ? [] : ['publickey'],
      });
    } catch (error) {
      fail('lost', `cannot log in to ${where}: ${errorText(error)}`, error);
    }
  });
}

/** The same where the host key has to be one of the pinned ones (fingerprints); tells which it was. */
export async function loginPinned(
  options: Omit<LoginOptions, 'isTrusted'> & { readonly hostKeys: readonly string[] },
): Promise<{ readonly client: Ssh2Client; readonly hostKey: string }> {
  const { hostKeys, where, isJumpHost } = options;
  if (hostKeys.length === 0) throw new TypeError(`there is no host key of ${where} to trust`);
  let presented: string | undefined;
  const isTrusted = (key: Buffer): boolean => {
    presented = fingerprint({ blob: key });
    return hostKeys.includes(presented);
  };
  try {
    const client = await login({ ...options, isTrusted });
    return { client, hostKey: presented ?? '' };
  } catch (error) {
    if (presented === undefined || hostKeys.includes(presented)) throw error;
    const text =
      `the host key of ${where} is ${presented}, but ${hostKeys.join(' or ')} was pinned: ` +
      'somebody may be in between; if it got a new key, pin that one';
    throw new SshConnectError('host-key-mismatch', text, error, isJumpHost);
  }
}

export function openSubsystem(client: Ssh2Client, subsystem: Subsystem): Promise<Ssh2Channel> {
  return new Promise((resolve, reject) => {
    client.subsys(subsystem, (error, channel) => {
      if (error) return reject(error);
      const refused = tooSmall(channel);
      if (refused) return reject(new Error(`the master takes ${refused}`));
      resolve(channel);
    });
  });
}

/** Asks a jump host for a connection to the next address. Rejects with an SshConnectError. */
export function openForward(
  client: Ssh2Client,
  where: string,
  to: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<Ssh2Channel> {
  const next = `${to.host}:${to.port}`;
  return new Promise((resolve, reject) => {
    const fail = (code: SshConnectCode, text: string, cause?: unknown): void => {
      reject(new SshConnectError(code, text, cause, true));
    };
    const lost = (error: Error): void => fail('lost', `${where} opened no way to ${next}: ${error.message}`, error);
    const timer = setTimeout(() => fail('timeout', `${where} did not reach ${next} in time`), timeoutMs);
    try {
      client.forwardOut('127.0.0.1', 0, to.host, to.port, (error, channel) => {
        clearTimeout(timer);
        if (error) {
          const known = FORWARD_FAILURES.get('reason' in error ? error.reason : undefined);
          if (!known) return lost(error);
          const told = printable(error.message.replace(/^\(SSH\) Channel open failure: /, ''));
          return fail(known.code, `${where} ${known.verb} ${next}: ${told}`, error);
        }
        const refused = tooSmall(channel);
        if (refused) return fail('lost', `${where} takes ${refused}`);
        resolve(channel);
      });
    } catch (error) {
      clearTimeout(timer);
      lost(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/** A packet size of 0 makes ssh2 loop for ever on the first write. */
function tooSmall(channel: Ssh2Channel): string | undefined {
  const packetBytes = peerPacketBytes(channel);
  if (packetBytes >= LIMITS.minPacketBytes) return undefined;
  channel.close();
  return `packets of ${packetBytes} bytes only`;
}

function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, BANNER_MAX);
}
