import { deferred } from '../base/deferred.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { Signal } from '../base/signal.ts';
import { MiB } from '../protocol/limits.ts';
import type { Carrier, Channel, Subsystem } from './carrier.ts';
import type { Line } from './line.ts';
import { SshChannel } from './ssh-channel.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { rekeyQueueBytes } from './ssh2-internals.ts';

/** ssh2's window is 2 MiB and may be overdrawn once; a peer that sends more into a paused channel breaks the rules of SSH. */
const PAUSED_CHANNEL_BYTES = 4 * MiB;

export interface SshConnection extends NodeJS.EventEmitter {
  end(): unknown;
}

export interface SshCarrierOptions {
  readonly line: Line;
  readonly connection: SshConnection;
  readonly peer: string;
  readonly clock: Clock;
  /** Client's side: the fingerprint that the other end showed. */
  readonly hostKey?: string;
  /** Client's side. */
  readonly open?: (subsystem: Subsystem) => Promise<Ssh2Channel>;
}

/** An SSH connection that is logged in, as a carrier; for both sides. Owns the line: ssh2 itself lets dead ones live on. */
export class SshCarrier implements Carrier {
  readonly peer: string;
  readonly hostKey?: string;
  readonly closed: Promise<string>;
  readonly #options: SshCarrierOptions;
  readonly #channels = new Set<SshChannel>();
  readonly #paused = new Set<SshChannel>();
  readonly #drain = new Signal();
  readonly #end = deferred<string>();
  #onChannel: ((channel: Channel) => void) | undefined;
  #early: Channel[] = [];
  #reason: string | undefined;
  #isOver = false;

  constructor(options: SshCarrierOptions) {
    this.#options = options;
    this.peer = options.peer;
    if (options.hostKey !== undefined) this.hostKey = options.hostKey;
    this.closed = this.#end.promise;
    const { line, connection } = options;
    line.onDrain(() => this.#drain.emit());
    // A key exchange is over: what it held back is on its way.
    connection.on('handshake', () => this.#drain.emit());
    connection.on('error', (error: Error) => this.destroy(error.message));
    // ssh2 keeps a half-closed socket; a peer that sends no more is of no use.
    connection.on('end', () => this.destroy('the peer closed the connection'));
    connection.on('close', () => this.#over('the connection was lost'));
    line.stream.on('data', () => this.#checkPaused());
    if (line.stream.destroyed) this.#over('the connection was lost');
  }

  queuedBytes(): number {
    return this.#options.line.queuedBytes() + rekeyQueueBytes(this.#options.connection);
  }

  onDrain(listener: () => void): Cancel {
    return this.#drain.on(listener);
  }

  async openChannel(subsystem: Subsystem): Promise<Channel> {
    const { open } = this.#options;
    if (!open) throw new Error('only the worker opens channels');
    if (this.#isOver) throw new Error(`the connection is over: ${this.#reason ?? ''}`);
    return this.add(await open(subsystem), subsystem);
  }

  onChannel(listener: (channel: Channel) => void): void {
    this.#onChannel = listener;
    const early = this.#early;
    this.#early = [];
    for (const channel of early) listener(channel);
  }

  /** A channel that was opened, by us or by the peer. */
  add(raw: Ssh2Channel, subsystem: Subsystem): SshChannel {
    const channel = new SshChannel(raw, subsystem, this.#paused);
    this.#channels.add(channel);
    void channel.closed.then(() => this.#channels.delete(channel));
    if (this.#isOver) channel.end();
    return channel;
  }

  /** Server's side: hands a new channel on. */
  announce(channel: Channel): void {
    if (this.#onChannel) this.#onChannel(channel);
    else this.#early.push(channel);
  }

  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#options.line.stream.destroy();
    this.#over(reason);
  }

  end(reason: string, graceMs: number): void {
    if (this.#isOver) return;
    this.#reason ??= reason;
    // Channel by channel first: stock ssh throws away what it has not written yet when the whole connection ends.
    const channels = Array.from(this.#channels);
    for (const channel of channels) channel.close();
    void Promise.all(channels.map(({ closed }) => closed)).then(() => {
      if (!this.#isOver) this.#options.connection.end();
    });
    const cancel = this.#options.clock.after(graceMs, () => this.destroy(reason));
    void this.closed.then(cancel);
  }

  #over(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const channel of Array.from(this.#channels)) channel.end();
    this.#end.resolve(this.#reason ?? reason);
  }

  #checkPaused(): void {
    for (const channel of this.#paused) {
      if (channel.unreadBytes > PAUSED_CHANNEL_BYTES) {
        this.destroy('the peer sent more than its window allows');
        return;
      }
    }
  }
}
