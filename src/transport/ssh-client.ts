import { connect } from 'node:net';
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Carrier, Subsystem } from './carrier.ts';
import { fingerprint, parsePublicKeys } from './keys.ts';
import { ALGORITHMS, HOST_KEY_TYPES } from './ssh-algorithms.ts';
import { SshCarrier } from './ssh-carrier.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { peerPacketBytes } from './ssh2-internals.ts';

/**
 * unreachable: no TCP connection. timeout: none, or no login, in time. host-key-mismatch: another host than the pinned one.
 * refused-login: the key is not admitted. lost: the line went, or the other end is no SSH server.
 */
export type SshConnectCode = 'unreachable' | 'timeout' | 'host-key-mismatch' | 'refused-login' | 'lost';

/** No connection; the message says what happened and what to do. */
export class SshConnectError extends Error {
  override readonly name = 'SshConnectError';
  readonly code: SshConnectCode;

  constructor(code: SshConnectCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface SshAddress {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs?: number;
}

export interface SshConnectOptions extends SshAddress {
  readonly user: string;
  /** The text of the key file. */
  readonly privateKey: string;
  /** The current host key and the next one: `SHA256:…` or public key lines. Never empty: no host is trusted unseen. */
  readonly hostKeys: readonly string[];
  readonly clock?: Clock;
}

const CONNECT_TIMEOUT_MS = 20_000;
const BANNER_MAX = 1_000;

/** Opens a worker's connection to a master and logs in. Rejects with an SshConnectError. */
export async function connectSsh(options: SshConnectOptions): Promise<Carrier> {
  const wanted = options.hostKeys.map(toFingerprint);
  if (wanted.length === 0) throw new TypeError('connectSsh needs a host key to trust');
  let presented: string | undefined;
  const { client, socket } = await login(options, (key) => {
    presented = fingerprint({ blob: key });
    return wanted.includes(presented);
  }).catch((error: unknown) => {
    if (presented !== undefined && !wanted.includes(presented)) throw mismatch(options, presented, wanted, error);
    throw error;
  });
  return new SshCarrier({
    socket,
    connection: client,
    peer: `${options.host}:${options.port}`,
    clock: options.clock ?? systemClock,
    open: (subsystem) => openSubsystem(client, subsystem),
  });
}

/** The host key a server shows, without logging in: for a person to look at before it is pinned. */
export async function readHostKey(
  address: SshAddress,
): Promise<{ readonly blob: string; readonly fingerprint: string }> {
  let seen: Buffer | undefined;
  try {
    // A key is parsed only when it is used; this login never comes to it.
    await login({ ...address, user: 'nobody', privateKey: undefined }, (key) => {
      seen = Buffer.from(key);
      return false;
    });
  } catch (error) {
    if (!seen) throw error;
    return { blob: seen.toString('base64'), fingerprint: fingerprint({ blob: seen }) };
  }
  throw new SshConnectError(
    'lost',
    `${address.host}:${address.port} let us in without a key; it is no Trunkline master`,
  );
}

interface LoginAs extends SshAddress {
  readonly user: string;
  readonly privateKey: string | undefined;
}

/** Until logged in; the caller owns the socket then. */
function login(
  options: LoginAs,
  isTrusted: (hostKey: Buffer) => boolean,
): Promise<{ readonly client: ssh2.Client; readonly socket: Socket }> {
  const { host, port, user } = options;
  const where = `${host}:${port}`;
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    const socket = connect({ host, port, noDelay: true });
    let isConnected = false;
    let banner = '';
    const fail = (error: SshConnectError): void => {
      socket.destroy();
      reject(error);
    };
    socket.once('connect', () => (isConnected = true));
    client.on('banner', (text: string) => (banner = printable(text)));
    client.on('error', (error: Error & { readonly level?: string }) => {
      if (error.level === 'client-authentication') {
        const said = banner === '' ? '' : ` (it says: ${banner})`;
        fail(new SshConnectError('refused-login', `${where} refused the login of ${user}${said}`, error));
      } else if (error.level === 'client-timeout') {
        fail(new SshConnectError('timeout', `${where} did not let us in in time`, error));
      } else if (isConnected) {
        fail(new SshConnectError('lost', `${where} ended the login: ${error.message}`, error));
      } else {
        fail(new SshConnectError('unreachable', `${where} cannot be reached: ${error.message}`, error));
      }
    });
    client.on('close', () => {
      if (banner !== '') fail(new SshConnectError('refused-login', `${where} refused the login of ${user}: ${banner}`));
      else fail(new SshConnectError('lost', `${where} closed the connection during the login`));
    });
    client.on('ready', () => resolve({ client, socket }));
    try {
      client.connect({
        sock: socket,
        username: user,
        readyTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
        algorithms: {
          kex: [...ALGORITHMS.kex],
          cipher: [...ALGORITHMS.cipher],
          compress: [...ALGORITHMS.compress],
          serverHostKey: [...HOST_KEY_TYPES],
        },
        hostVerifier: isTrusted,
        ...(options.privateKey === undefined ? {} : { privateKey: options.privateKey }),
        authHandler: options.privateKey === undefined ? [] : ['publickey'],
      });
    } catch (error) {
      fail(new SshConnectError('lost', `cannot log in to ${where}: ${errorText(error)}`, error));
    }
  });
}

function openSubsystem(client: ssh2.Client, subsystem: Subsystem): Promise<Ssh2Channel> {
  return new Promise((resolve, reject) => {
    client.subsys(subsystem, (error, channel) => {
      if (error) return reject(error);
      const packetBytes = peerPacketBytes(channel);
      // A packet size of 0 makes ssh2 loop for ever on the first write.
      if (packetBytes < LIMITS.minPacketBytes) {
        channel.close();
        return reject(new Error(`the master takes packets of ${packetBytes} bytes only`));
      }
      resolve(channel);
    });
  });
}

function mismatch(at: SshAddress, presented: string, wanted: readonly string[], cause: unknown): SshConnectError {
  return new SshConnectError(
    'host-key-mismatch',
    `the host key of ${at.host}:${at.port} is ${presented}, but ${wanted.join(' or ')} was pinned: ` +
      'somebody may be in between; if the master got a new key, pin that one',
    cause,
  );
}

function toFingerprint(pinned: string): string {
  if (pinned.startsWith('SHA256:')) return pinned.replace(/=+$/, '');
  return parsePublicKeys(pinned).map(fingerprint)[0] ?? '';
}

function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, BANNER_MAX);
}
