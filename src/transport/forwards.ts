import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ForwardPlaceLimits, ForwardPlaces } from './forward-places.ts';
import { ForwardStream } from './forward-stream.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { refuseForward } from './ssh2-internals.ts';

/** Where a person wants to be led, in the words of `ssh -L PORT:HOST:PORT`. */
export interface ForwardTarget {
  readonly host: string;
  readonly port: number;
}

/** Who serves a forward; or why it leads nowhere, told to the person and the log. */
export type ForwardAnswer = { readonly take: (stream: ForwardStream) => void } | { readonly refused: string };

export interface ForwardLimits extends ForwardPlaceLimits {
  readonly forwardsOfConnection: number;
  /** Of one connection: what its forwards sent and nobody here has read. Over it the one with the most is ended. */
  readonly forwardUnreadBytes: number;
}

export interface ForwardsOptions {
  readonly socket: Socket;
  /** ssh2's connection. */
  readonly connection: object;
  readonly who: { readonly name: string; readonly peer: string };
  readonly limits: ForwardLimits;
  readonly places: ForwardPlaces;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly decide: (target: ForwardTarget) => ForwardAnswer;
  /** Ends the connection when the peer takes packets that are too small for ssh2. */
  readonly hasTinyPackets: (channel: Ssh2Channel) => boolean;
}

/** A peer that is refused without end fills no log: the rest is counted, and told at the end. */
const REFUSALS_LOGGED = 10;
const SHOWN_HOST = 100;

/** The forwards of one person's connection. */
export class Forwards {
  readonly #options: ForwardsOptions;
  readonly #streams = new Set<ForwardStream>();
  #refusals = 0;

  constructor(options: ForwardsOptions) {
    this.#options = options;
  }

  /** Answers one request for a forward at once: what comes before the acceptance, ssh2 throws away. */
  open(target: ForwardTarget, accept: () => Ssh2Channel, reject: () => void): void {
    const { connection, limits, places, who, decide } = this.#options;
    const answer = decide(target);
    if ('refused' in answer) return this.#refuse(target, answer.refused, reject);
    if (this.#streams.size >= limits.forwardsOfConnection) {
      const why = `${limits.forwardsOfConnection} forwards at a time are the most of one connection`;
      return this.#refuse(target, why, reject);
    }
    const place = places.take(who.name);
    if (typeof place !== 'function') return this.#refuse(target, place.refused, reject);
    const channel = accept();
    if (this.#options.hasTinyPackets(channel)) return place();
    const stream = new ForwardStream({ ...this.#options, channel, connection });
    this.#streams.add(stream);
    stream.once('close', () => {
      this.#streams.delete(stream);
      place();
    });
    answer.take(stream);
  }

  /** Call when bytes came. */
  checkMemory(): void {
    let most: ForwardStream | undefined;
    let unreadBytes = 0;
    for (const stream of this.#streams) {
      unreadBytes += stream.unreadBytes;
      if (!most || stream.unreadBytes > most.unreadBytes) most = stream;
    }
    if (!most || unreadBytes <= this.#options.limits.forwardUnreadBytes) return;
    this.#options.logger.warn('forward ended: too many bytes wait to be read', { ...this.#options.who, unreadBytes });
    most.destroy();
  }

  /** The connection is gone. */
  close(): void {
    for (const stream of Array.from(this.#streams)) stream.destroy();
    const { logger, who } = this.#options;
    const untold = this.#refusals - REFUSALS_LOGGED;
    if (untold > 0) logger.warn('more forwards were refused', { ...who, count: untold });
  }

  #refuse({ host, port }: ForwardTarget, reason: string, reject: () => void): void {
    const { connection, logger, who } = this.#options;
    this.#refusals++;
    if (this.#refusals <= REFUSALS_LOGGED) {
      logger.warn('forward refused', { ...who, to: `${host.slice(0, SHOWN_HOST)}:${port}`, reason });
    }
    refuseForward(connection, reject, `trunkline: ${reason}`);
  }
}
