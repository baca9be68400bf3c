import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { Clock } from '../base/clock.ts';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { GiB, KiB, LIMITS, MiB } from '../protocol/limits.ts';
import type { Carrier } from './carrier.ts';
import { ForwardPlaces } from './forward-places.ts';
import type { ForwardAnswer, ForwardLimits, ForwardTarget } from './forwards.ts';
import type { AdmitInvited, Invited, InvitedLimits } from './invited.ts';
import { LOGIN_GATE_LIMITS, LoginGate } from './login-gate.ts';
import type { LoginGateLimits } from './login-gate.ts';
import { LoginPenalty } from './login-penalty.ts';
import { PRINCIPAL_LIMITS, PrincipalPlaces } from './principal-places.ts';
import type { PrincipalLimits } from './principal-places.ts';
import type { PersonCall } from './person-call.ts';
import { ServerConnection } from './server-connection.ts';
import type { Ssh2ServerConnection } from './server-connection.ts';
import { ALGORITHMS } from './ssh-algorithms.ts';
import { StrangerLog } from './stranger-log.ts';
import type { Authenticate, LoginRequest, SshPrincipal } from './ssh-login.ts';
import { socketOf } from './ssh2-internals.ts';

export interface SshServerLimits extends LoginGateLimits, ForwardLimits, InvitedLimits, PrincipalLimits {
  readonly loginGraceMs: number;
  readonly loginTries: number;
  /** In the log, of what strangers and peers that misbehave cause; of the others it tells the number. */
  readonly strangerLinesPerMinute: number;
  /** Sockets in all, those that are logged in too; so that the process keeps descriptors for its files. */
  readonly sockets: number;
  readonly channelsOfWorker: number;
  readonly channelsOfPerson: number;
  /** Bytes that wait in the socket for a peer that goes on sending. */
  readonly unsentBytes: number;
  readonly unsentBytesBeforeLogin: number;
  readonly keepaliveMs: number;
  readonly rekeyBytes: number;
  readonly rekeyMs: number;
}

const DEFAULTS: Omit<SshServerLimits, 'sockets'> = {
  ...LOGIN_GATE_LIMITS,
  ...PRINCIPAL_LIMITS,
  strangerLinesPerMinute: 60,
  loginGraceMs: LIMITS.loginGraceMs,
  loginTries: 3,
  channelsOfWorker: LIMITS.channelsPerConnection,
  channelsOfPerson: 32,
  connectionsOfInvited: 4,
  channelsOfInvited: 2,
  invitedMs: 300_000,
  bytesOfInvited: 256 * KiB,
  forwardsOfConnection: 256,
  forwardsOfPerson: 512,
  forwards: 1_024,
  forwardUnreadBytes: 8 * MiB,
  unsentBytes: 32 * MiB,
  unsentBytesBeforeLogin: 256 * KiB,
  keepaliveMs: LIMITS.heartbeatMs,
  rekeyBytes: GiB,
  rekeyMs: 3_600_000,
};
/** Keepalives without an answer: the third interval of silence ends the connection, which makes 45 s. */
const KEEPALIVES = 2;
/** Descriptors for files, the database, listening sockets. */
const RESERVED_DESCRIPTORS = 128;

export interface SshServerOptions<P extends SshPrincipal> {
  readonly host: string;
  readonly port: number;
  /** Private keys as text, ed25519 first. */
  readonly hostKeys: readonly string[];
  readonly limits?: Partial<SshServerLimits>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate<P>;
  readonly onWorker: (principal: P, carrier: Carrier) => void;
  readonly onPerson: (principal: P, call: PersonCall) => void;
  /** Decides on one-time codes, and answers those who came with one; absent: nobody does. */
  readonly admitInvited?: AdmitInvited;
  readonly onInvited?: (invited: Invited, call: PersonCall) => void;
  /** A person asks for a forward (`ssh -L`); absent: all are refused. */
  readonly onForward?: (principal: P, target: ForwardTarget) => ForwardAnswer;
}

export interface SshServer<P extends SshPrincipal = SshPrincipal> {
  readonly port: number;
  /** Ends all connections of this name at once, but for those that `spares` wants kept; answers how many there were. */
  closeConnectionsOf(name: string, reason: string, spares?: (principal: P) => boolean): number;
  /** Private keys as text: new connections are shown these, those that are open stay. */
  showHostKeys(hostKeys: readonly string[]): void;
  /** Stops listening and ends all connections. */
  close(): Promise<void>;
  stats(): {
    readonly connections: number;
    readonly loggingIn: number;
    readonly waiting: number;
    readonly forwards: number;
  };
}

/** Listens for workers and people. Rejects with a UserMistake when the port or a host key cannot be used. */
export async function listenSsh<P extends SshPrincipal>(options: SshServerOptions<P>): Promise<SshServer<P>> {
  const limits = { ...DEFAULTS, sockets: socketsAllowed(), ...options.limits };
  const penalty = new LoginPenalty(options.clock);
  const places = new PrincipalPlaces(limits);
  const strangers = new StrangerLog(options.logger, options.clock, limits.strangerLinesPerMinute);
  const connections = new Set<ServerConnection<P>>();
  const sockets = new Set<Socket>();
  const forwardPlaces = new ForwardPlaces(limits);
  const arriving = new Map<unknown, (connection: Ssh2ServerConnection) => void>();
  const openSsh = (hostKeys: readonly string[]): ssh2.Server => {
    const opened = makeSsh(hostKeys, limits);
    opened.on('connection', (connection: Ssh2ServerConnection) => arriving.get(socketOf(connection))?.(connection));
    return opened;
  };
  let ssh = openSsh(options.hostKeys);

  const gate = new LoginGate(limits, (socket, place) => {
    const cancelGrace = options.clock.after(limits.loginGraceMs, () => socket.destroy());
    const leave = (): void => {
      cancelGrace();
      arriving.delete(socket);
      place.leave();
    };
    socket.once('close', leave);
    arriving.set(socket, (raw) => {
      arriving.delete(socket);
      const connection = new ServerConnection({
        ...options,
        onInvited: options.onInvited ?? ((_invited, call) => call.exit(0)),
        countInvited: ({ codeHash }) =>
          Array.from(connections).filter(({ invited }) => invited?.codeHash === codeHash).length,
        onForward: options.onForward ?? noForward,
        forwardPlaces,
        limits,
        penalty,
        places,
        strangers,
        socket,
        raw,
        place,
        loggedIn: leave,
        isSigned,
      });
      connections.add(connection);
      socket.once('close', () => connections.delete(connection));
    });
    ssh.injectSocket(socket);
  });

  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // The close event follows; nothing can be said to a stranger whose line broke.
    socket.on('error', () => {});
    if (!gate.enter(socket, sockets.size >= limits.sockets)) {
      strangers.tell('warn', 'connection refused: too many', { address: socket.remoteAddress, sockets: sockets.size });
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await listen(server, options);
  server.on('error', (error) => options.logger.error('the SSH port fails', { error: error.message }));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    closeConnectionsOf(name, reason, spares = () => false) {
      const ended = Array.from(connections).filter(({ principal }) => principal?.name === name && !spares(principal));
      for (const connection of ended) connection.destroy(reason);
      return ended.length;
    },
    showHostKeys(hostKeys) {
      ssh = openSsh(hostKeys);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of Array.from(connections)) connection.destroy('the master stops');
      for (const socket of Array.from(sockets)) socket.destroy();
      await closed;
    },
    stats: () => ({
      connections: connections.size,
      loggingIn: gate.unauthenticatedCount,
      waiting: gate.waitingCount,
      forwards: forwardPlaces.count,
    }),
  };
}

function noForward(): ForwardAnswer {
  return { refused: 'nothing here can be forwarded' };
}

function makeSsh(hostKeys: readonly string[], limits: SshServerLimits): ssh2.Server {
  try {
    return new ssh2.Server({
      hostKeys: [...hostKeys],
      ident: 'trunkline',
      algorithms: {
        kex: [...ALGORITHMS.kex],
        cipher: [...ALGORITHMS.cipher],
        compress: [...ALGORITHMS.compress],
      },
      keepaliveInterval: limits.keepaliveMs,
      keepaliveCountMax: KEEPALIVES,
    });
  } catch (error) {
    throw new UserMistake(`the host key cannot be used: ${errorText(error)}`, { cause: error });
  }
}

/** `verify` may answer an Error, which is truthy. */
function isSigned({ key, blob, signature, hashAlgo }: LoginRequest): boolean {
  if (!key || !blob || !signature) return false;
  const parsed = ssh2.utils.parseKey(key.data);
  if (parsed instanceof Error || parsed.type !== key.algo) return false;
  const verdict: unknown = parsed.verify(blob, signature, hashAlgo);
  return verdict === true;
}

function listen(server: Server, at: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new UserMistake(whyNoPort(error, at), { cause: error }));
    server.once('error', failed);
    server.listen({ host: at.host, port: at.port, backlog: 1_024 }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function whyNoPort(error: Error, { host, port }: { readonly host: string; readonly port: number }): string {
  if (errorCode(error) === 'EADDRINUSE') {
    return `port ${port} of ${host} is in use by another program; stop it, or listen on another port`;
  }
  if (errorCode(error) === 'EACCES') return `port ${port} may not be opened by this user; take one over 1023`;
  return `cannot listen on ${host}, port ${port}: ${error.message}`;
}

/** Node raises its own limit of descriptors to the hard one when it starts. */
function socketsAllowed(): number {
  try {
    const files = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    if (files !== undefined) return Math.max(16, Number(files) - RESERVED_DESCRIPTORS);
  } catch {
    // No /proc, as on macOS: a number that is usual.
  }
  return 1_024 - RESERVED_DESCRIPTORS;
}
