import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { Disposer } from '../base/disposer.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { LIMITS, MiB } from '../protocol/limits.ts';
import { SUBSYSTEMS } from './carrier.ts';
import type { Carrier } from './carrier.ts';
import { Forwards } from './forwards.ts';
import type { ForwardPlaces } from './forward-places.ts';
import type { ForwardAnswer, ForwardLimits, ForwardTarget } from './forwards.ts';
import { lineOf } from './line.ts';
import type { AdmitInvited, Invited, InvitedLimits } from './invited.ts';
import type { LoginPlace } from './login-gate.ts';
import type { LoginPenalty } from './login-penalty.ts';
import type { PrincipalPlaces } from './principal-places.ts';
import type { StrangerLog } from './stranger-log.ts';
import type { PersonCall } from './person-call.ts';
import { PersonSession } from './person-session.ts';
import type { Ssh2ServerChannel } from './person-session.ts';
import { SshCarrier } from './ssh-carrier.ts';
import type { SshConnection } from './ssh-carrier.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { SshLogin } from './ssh-login.ts';
import type { Authenticate, LoginRequest, SshPrincipal } from './ssh-login.ts';
import { forgetSession, peerPacketBytes, rekeyQueueBytes, sendBanner } from './ssh2-internals.ts';

/** ssh2's connection and session on the server's side. */
export interface Ssh2ServerConnection extends SshConnection {
  rekey(): unknown;
}
type Ssh2Session = NodeJS.EventEmitter;
type Accept<T> = () => T;
/** A session has one program; for a second one there is no channel. */
type AcceptProgram = Accept<Ssh2ServerChannel | undefined>;
type MayReply = (() => void) | undefined;
type Terminal = { readonly columns: number } | undefined;
interface TcpipInfo {
  readonly destIP: string;
  readonly destPort: number;
}

export interface ServerConnectionOptions<P extends SshPrincipal> {
  readonly socket: Socket;
  readonly raw: Ssh2ServerConnection;
  readonly place: LoginPlace;
  /** Call when the login is done: the grace is over, the place is free. */
  readonly loggedIn: () => void;
  readonly limits: ForwardLimits &
    InvitedLimits & {
      readonly loginTries: number;
      readonly channelsOfWorker: number;
      readonly channelsOfPerson: number;
      /** Bytes that wait in the socket for a peer that goes on sending: it does not read the answers. */
      readonly unsentBytes: number;
      readonly unsentBytesBeforeLogin: number;
      readonly rekeyBytes: number;
      readonly rekeyMs: number;
    };
  readonly penalty: LoginPenalty;
  readonly places: PrincipalPlaces;
  readonly strangers: StrangerLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate<P>;
  readonly admitInvited?: AdmitInvited;
  readonly isSigned: (request: LoginRequest) => boolean;
  readonly onWorker: (principal: P, carrier: Carrier) => void;
  readonly onPerson: (principal: P, call: PersonCall) => void;
  readonly onInvited: (invited: Invited, call: PersonCall) => void;
  /** How many connections there are of this invitation, the one that asks among them. */
  readonly countInvited: (invited: Invited) => number;
  readonly onForward: (principal: P, target: ForwardTarget) => ForwardAnswer;
  readonly forwardPlaces: ForwardPlaces;
}

const EXIT_USAGE = 64;
/** ssh2's window is 2 MiB and may be overdrawn once. */
const UNREAD_BYTES = 4 * MiB;
/** Of all calls of a connection together: a verb that reads does so at once, and few have anything to read. */
const CALLS_UNREAD_BYTES = 8 * MiB;
const NO_SHELL = 'trunkline: there is no shell here; say what you want, as in: ssh -p PORT NAME@HOST help\n';

/**
 * One SSH connection from its identification on. States: logging in → a worker's (opens Trunkline's subsystems, nothing else)
 * or a person's (runs verbs, and is led to the web address) or an invited machine's (says a few words, for a while) → gone. Whatever goes wrong ends the socket itself.
 */
export class ServerConnection<P extends SshPrincipal> {
  readonly #options: ServerConnectionOptions<P>;
  readonly #login: SshLogin<P>;
  readonly #gone = new AbortController();
  readonly #undo = new Disposer();
  readonly #peer: string;
  /** Channels of calls: what comes waits there until the verb reads it. */
  readonly #calls = new Set<Ssh2ServerChannel>();
  #carrier: SshCarrier | undefined;
  #forwards: Forwards | undefined;
  #channels = 0;

  constructor(options: ServerConnectionOptions<P>) {
    this.#options = options;
    const { socket, raw } = options;
    const address = socket.remoteAddress ?? 'unknown';
    this.#peer = `${address}:${socket.remotePort ?? 0}`;
    raw.on('error', (error: Error) => this.#failed(error));
    raw.on('handshake', () => options.place.handshakeDone());
    raw.on('end', () => this.destroy('the peer closed the connection'));
    // A client has no reason for it; each exchange costs us more than him.
    raw.on('rekey', () => {
      if (!this.#isLoggedIn) this.#breakOff('keys were exchanged anew before the login');
    });
    // Each call and each forward of a person may wait for the socket to drain.
    socket.setMaxListeners(options.limits.channelsOfPerson + options.limits.forwardsOfConnection + 20);
    socket.on('data', () => this.#checkMemory());
    socket.once('close', () => this.#closed());
    this.#login = new SshLogin<P>({
      ...options,
      address,
      maxTries: options.limits.loginTries,
      sendBanner: (text) => sendBanner(raw, text),
      giveUp: (reason) => this.destroy(reason),
      signal: this.#gone.signal,
    });
    raw.on('authentication', (request: LoginRequest) => {
      this.#login.answer(request).catch((error: unknown) => this.destroy(errorText(error)));
    });
    raw.on('ready', () => this.#ready());
  }

  /** Of whom it is, once logged in. */
  get principal(): P | undefined {
    return this.#login.principal;
  }

  get name(): string | undefined {
    return this.#login.principal?.name ?? this.#login.invited?.name;
  }

  get invited(): Invited | undefined {
    return this.#login.invited;
  }

  get #isLoggedIn(): boolean {
    return this.#login.principal !== undefined || this.#login.invited !== undefined;
  }

  destroy(reason: string): void {
    this.#carrier?.destroy(reason);
    this.#options.socket.destroy();
    this.#gone.abort();
  }

  #ready(): void {
    const { principal, invited } = this.#login;
    if (invited) return this.#welcomeInvited(invited);
    if (!principal) return this.destroy('logged in without a key');
    const { raw, socket, clock, logger } = this.#options;
    this.#options.loggedIn();
    logger.info('logged in', { name: principal.name, role: principal.role, peer: this.#peer });
    this.#rekeyAtTimes();
    if (principal.role === 'worker') {
      const carrier = new SshCarrier({ line: lineOf(socket), connection: raw, peer: this.#peer, clock });
      this.#carrier = carrier;
      raw.on('session', (accept: Accept<Ssh2Session>, reject: () => void) => {
        const session = this.#openSession(accept, reject, this.#options.limits.channelsOfWorker);
        if (session) this.#serveWorker(session, carrier);
      });
      this.#options.onWorker(principal, carrier);
    } else {
      raw.on('session', (accept: Accept<Ssh2Session>, reject: () => void) => {
        const session = this.#openSession(accept, reject, this.#options.limits.channelsOfPerson);
        if (session) this.#servePerson(session, principal);
      });
      this.#serveForwards(principal);
    }
  }

  #welcomeInvited(invited: Invited): void {
    const { raw, logger, clock, limits, countInvited } = this.#options;
    this.#options.loggedIn();
    logger.info('an invited machine is here', { name: invited.name, peer: this.#peer });
    if (countInvited(invited) > limits.connectionsOfInvited) return this.#breakOff('too many connections of one code');
    this.#undo.add(clock.after(limits.invitedMs, () => this.#breakOff('an invited machine stayed for too long')));
    raw.on('session', (accept: Accept<Ssh2Session>, reject: () => void) => {
      const session = this.#openSession(accept, reject, limits.channelsOfInvited);
      if (session) this.#serveCalls(session, (call) => this.#options.onInvited(invited, call));
    });
  }

  #serveForwards(principal: P): void {
    const { raw, onForward, forwardPlaces: places } = this.#options;
    const forwards = new Forwards({
      ...this.#options,
      connection: raw,
      who: { name: principal.name, peer: this.#peer },
      places,
      decide: (target) => onForward(principal, target),
      hasTinyPackets: (channel) => this.#hasTinyPackets(channel),
    });
    this.#forwards = forwards;
    raw.on('tcpip', (accept: Accept<Ssh2Channel>, reject: () => void, info: TcpipInfo) =>
      forwards.open({ host: info.destIP, port: info.destPort }, accept, reject),
    );
    this.#undo.add(() => forwards.close());
  }

  /** Accepted at once: what comes before the acceptance, ssh2 throws away. */
  #openSession(accept: Accept<Ssh2Session>, reject: () => void, most: number): Ssh2Session | undefined {
    if (this.#channels >= most) {
      this.#options.strangers.tell('warn', 'channel refused: too many', {
        name: this.name,
        peer: this.#peer,
        channels: most,
      });
      reject();
      return undefined;
    }
    this.#channels++;
    const session = accept();
    session.once('close', () => {
      this.#channels--;
      // Closed before anything was started in it, it is no channel to ssh2, which would keep it.
      forgetSession(this.#options.raw, session);
    });
    return session;
  }

  #serveWorker(session: Ssh2Session, carrier: SshCarrier): void {
    session.on('subsystem', (accept: AcceptProgram, reject: MayReply, info: { readonly name: string }) => {
      const subsystem = SUBSYSTEMS.find((name) => name === info.name);
      if (!subsystem) return reject?.();
      const channel = this.#begin(accept);
      if (channel) carrier.announce(carrier.add(channel, subsystem));
    });
  }

  #servePerson(session: Ssh2Session, principal: P): void {
    let terminal: Terminal;
    session.on('pty', (accept: MayReply, _reject: MayReply, info: { readonly cols: number }) => {
      // No terminal is made; it is good to know that there is one.
      terminal = { columns: info.cols };
      accept?.();
    });
    this.#serveCalls(
      session,
      (call) => this.#options.onPerson(principal, call),
      () => terminal,
    );
    session.on('shell', (accept: AcceptProgram) => {
      const channel = this.#begin(accept);
      if (!channel) return;
      const call = this.#call(session, channel, '', terminal);
      void call.writeError(NO_SHELL).finally(() => call.exit(EXIT_USAGE));
    });
  }

  #serveCalls(
    session: Ssh2Session,
    answer: (call: PersonCall) => void,
    terminal: () => Terminal = () => undefined,
  ): void {
    session.on('exec', (accept: AcceptProgram, _reject: MayReply, info: { readonly command: string }) => {
      const channel = this.#begin(accept);
      if (channel) answer(this.#call(session, channel, info.command, terminal()));
    });
  }

  #begin(accept: AcceptProgram): Ssh2ServerChannel | undefined {
    const channel = accept();
    return channel && !this.#hasTinyPackets(channel) ? channel : undefined;
  }

  /** A packet size of 0 makes ssh2 loop for ever on the first write. */
  #hasTinyPackets(channel: Ssh2Channel): boolean {
    const packetBytes = peerPacketBytes(channel);
    if (packetBytes >= LIMITS.minPacketBytes) return false;
    this.destroy(`the peer takes packets of ${packetBytes} bytes only`);
    return true;
  }

  #call(session: Ssh2Session, channel: Ssh2ServerChannel, command: string, terminal: Terminal): PersonCall {
    const gone = new AbortController();
    const abort = (): void => gone.abort();
    this.#gone.signal.addEventListener('abort', abort);
    session.once('close', () => {
      this.#gone.signal.removeEventListener('abort', abort);
      abort();
    });
    session.on('signal', abort);
    const { socket, raw } = this.#options;
    this.#calls.add(channel);
    gone.signal.addEventListener('abort', () => this.#calls.delete(channel), { once: true });
    return new PersonSession({ command, channel, socket, connection: raw, terminal, gone });
  }

  /** ssh2 takes more than the window it gave, and answers requests whose answers nobody reads. */
  #checkMemory(): void {
    const { socket, raw, limits } = this.#options;
    if (this.#login.invited && socket.bytesRead > limits.bytesOfInvited) {
      return this.#breakOff('an invited machine sent too much');
    }
    const most = this.#isLoggedIn ? limits.unsentBytes : limits.unsentBytesBeforeLogin;
    const unsentBytes = socket.writableLength + rekeyQueueBytes(raw);
    if (unsentBytes > most) return this.#breakOff(`the peer sends and does not read: ${unsentBytes} bytes wait for it`);
    this.#forwards?.checkMemory();
    let unreadBytes = 0;
    for (const { readableLength } of this.#calls) {
      if (readableLength > UNREAD_BYTES) return this.#breakOff('the peer sent more than its window allows');
      unreadBytes += readableLength;
    }
    if (unreadBytes > CALLS_UNREAD_BYTES) this.#breakOff('the peer sent too much to calls that do not read');
  }

  #breakOff(reason: string): void {
    this.#options.strangers.tell('warn', 'connection broken off', { peer: this.#peer, name: this.name, reason });
    this.destroy(reason);
  }

  /** After a volume and a time, as OpenSSH does; ssh2 never does by itself. Spread, so that a farm does not do it at once. */
  #rekeyAtTimes(): void {
    const { socket, raw, limits, clock } = this.#options;
    const jitter = 0.75 + Math.random() / 4;
    let next = bytesOf(socket) + limits.rekeyBytes * jitter;
    let cancel = (): void => {};
    const rekey = (): void => {
      cancel();
      next = bytesOf(socket) + limits.rekeyBytes * jitter;
      cancel = clock.after(limits.rekeyMs * jitter, rekey);
      raw.rekey();
    };
    cancel = clock.after(limits.rekeyMs * jitter, rekey);
    socket.on('data', () => {
      if (bytesOf(socket) >= next) rekey();
    });
    this.#undo.add(() => cancel());
  }

  #failed(error: Error): void {
    this.#options.strangers.tell('info', 'connection failed', {
      peer: this.#peer,
      name: this.name,
      error: error.message,
    });
    // ssh2 only half-closes, also when its keepalive runs out.
    this.destroy(error.message);
  }

  #closed(): void {
    this.#calls.clear();
    this.#gone.abort();
    void this.#undo.dispose();
  }
}

function bytesOf(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten;
}
