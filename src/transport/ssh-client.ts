import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import type { Logger } from '../base/logger.ts';
import type { Carrier } from './carrier.ts';
import { fingerprint, parsePublicKeys } from './keys.ts';
import { SshCarrier } from './ssh-carrier.ts';
import { login, loginPinned, openSubsystem } from './ssh-client-login.ts';
import { SshConnectError } from './ssh-connect-error.ts';
import { DIRECT, openLine } from './way.ts';
import type { Way } from './way.ts';

export interface SshAddress {
  readonly host: string;
  readonly port: number;
  /** Of each hop of the way, and of the login at its end. */
  readonly connectTimeoutMs?: number;
  /** Direct if not given. */
  readonly way?: Way;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface SshConnectOptions extends SshAddress {
  readonly user: string;
  /** The text of the key file. */
  readonly privateKey: string;
  /** The current host key and the next one: `SHA256:…` or public key lines. Never empty: no host is trusted unseen. */
  readonly hostKeys: readonly string[];
}

const CONNECT_TIMEOUT_MS = 20_000;

/** Opens a worker's connection to a master and logs in. Rejects with an SshConnectError. */
export async function connectSsh(options: SshConnectOptions): Promise<Carrier> {
  const { host, port, user, privateKey, clock = systemClock } = options;
  const hostKeys = options.hostKeys.map(toFingerprint);
  if (hostKeys.length === 0) throw new TypeError('connectSsh needs a host key to trust');
  const where = `${host}:${port}`;
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const line = await lineTo(options, user);
  const { client, hostKey } = await loginPinned({
    line,
    where,
    isJumpHost: false,
    user,
    privateKey,
    hostKeys,
    timeoutMs,
  });
  return new SshCarrier({
    line,
    connection: client,
    peer: where,
    hostKey,
    clock,
    open: (subsystem) => openSubsystem(client, subsystem),
  });
}

/** The host key a server shows, without logging in there: for a person to look at before it is pinned. */
export async function readHostKey(
  address: SshAddress,
): Promise<{ readonly blob: string; readonly fingerprint: string }> {
  const where = `${address.host}:${address.port}`;
  const user = 'nobody';
  let seen: Buffer | undefined;
  const line = await lineTo(address, user);
  try {
    await login({
      line,
      where,
      isJumpHost: false,
      user,
      // A key is parsed only when it is used; this login never comes to it.
      privateKey: undefined,
      timeoutMs: address.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      isTrusted: (key) => {
        seen = Buffer.from(key);
        return false;
      },
    });
  } catch (error) {
    if (!seen) throw error;
    return { blob: seen.toString('base64'), fingerprint: fingerprint({ blob: seen }) };
  }
  line.stream.destroy();
  throw new SshConnectError('lost', `${where} let us in without a key; it is no Trunkline master`);
}

function lineTo(address: SshAddress, user: string): ReturnType<typeof openLine> {
  const { host, port, way = DIRECT, clock = systemClock, logger = silentLogger } = address;
  const timeoutMs = address.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  return openLine({ way, to: { host, port, user }, timeoutMs, clock, logger });
}

function toFingerprint(pinned: string): string {
  if (pinned.startsWith('SHA256:')) return pinned.replace(/=+$/, '');
  return parsePublicKeys(pinned).map(fingerprint)[0] ?? '';
}
