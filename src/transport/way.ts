import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { HopStream } from './hop-stream.ts';
import { lineOf } from './line.ts';
import type { Line } from './line.ts';
import { ProxyStream, fillProxyCommand } from './proxy-command.ts';
import { loginPinned, openForward } from './ssh-client-login.ts';

/** A host whose stock sshd connects us to the next address (`AllowTcpForwarding`). */
export interface JumpHost {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The text of the key file. */
  readonly privateKey: string;
  /** Fingerprints (`SHA256:…`) of its host key: the current one and the next. */
  readonly hostKeys: readonly string[];
}

/** How an address is reached: the proxy command carries the first connection, the jump hosts follow in order. */
export interface Way {
  readonly proxyCommand?: string;
  readonly jumpHosts: readonly JumpHost[];
}

export const DIRECT: Way = { jumpHosts: [] };

export interface WayOptions {
  readonly way: Way;
  readonly to: { readonly host: string; readonly port: number; readonly user: string };
  /** Of each hop. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens a line to an address; it may still be connecting. When any hop of it dies the whole line dies. Rejects with an
 * SshConnectError that names the hop.
 */
export async function openLine({ way, to, timeoutMs, clock, logger }: WayOptions): Promise<Line> {
  const stops = [...way.jumpHosts, to];
  const [first = to] = stops;
  let line =
    way.proxyCommand === undefined
      ? lineOf(connect({ host: first.host, port: first.port, noDelay: true }))
      : lineOf(new ProxyStream(fillProxyCommand(way.proxyCommand, first), { clock, logger }));
  for (const [index, jumpHost] of way.jumpHosts.entries()) {
    const below = line;
    const where = `the jump host ${jumpHost.host}:${jumpHost.port}`;
    const { client: connection } = await loginPinned({ ...jumpHost, line: below, where, isJumpHost: true, timeoutMs });
    try {
      const channel = await openForward(connection, where, stops[index + 1] ?? to, timeoutMs);
      line = new HopStream({ channel, connection, below, where });
    } catch (error) {
      below.stream.destroy();
      throw error;
    }
  }
  return line;
}
