import type { Socket } from 'node:net';
import { networkOf } from '../base/network-of.ts';

export interface LoginGateLimits {
  /**
   * Connections that are not logged in yet: in all, from one address, and busy with the key exchange (of these, one address has
   * half at most).
   */
  readonly unauthenticated: number;
  readonly unauthenticatedPerAddress: number;
  readonly handshakes: number;
  /** Connections that wait for their turn, not yet read from; over it, the newest of the busiest address is closed. */
  readonly waiting: number;
}

export const LOGIN_GATE_LIMITS: LoginGateLimits = {
  unauthenticated: 256,
  unauthenticatedPerAddress: 64,
  handshakes: 64,
  waiting: 2_048,
};

/** The place of one connection between its admission and its login or end. */
export interface LoginPlace {
  handshakeDone(): void;
  /** Logged in, or gone. */
  leave(): void;
}

interface Waiting {
  readonly socket: Socket;
  readonly address: string;
}

/** What an address has before its logins. */
interface Share {
  unauthenticated: number;
  handshakes: number;
  /** Oldest first; true while it exchanges keys. */
  readonly sockets: Map<Socket, boolean>;
}

/**
 * Lets connections in so that strangers cannot use the machine up before they have proved who they are. Over the limits a
 * connection is not dropped: it waits unread, and many workers behind one address only take longer to come in. Who has the least
 * under way is next, so that an address that sends no end of connections, and says nothing on them, keeps out no other: when
 * all places are taken, it loses its oldest one to whoever has none.
 */
export class LoginGate {
  readonly #limits: LoginGateLimits;
  readonly #admit: (socket: Socket, place: LoginPlace) => void;
  #waiting: Waiting[] = [];
  readonly #shares = new Map<string, Share>();
  #unauthenticated = 0;
  #handshakes = 0;
  /** Closed by us for somebody else, and not gone yet. */
  readonly #leaving = new Set<Socket>();

  constructor(limits: LoginGateLimits, admit: (socket: Socket, place: LoginPlace) => void) {
    this.#limits = limits;
    this.#admit = admit;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get unauthenticatedCount(): number {
    return this.#unauthenticated;
  }

  /** The socket is paused; false when there is no room even to wait. `isFull`: room is needed, whoever waits. */
  enter(socket: Socket, isFull = false): boolean {
    const entry = { socket, address: networkOf(socket.remoteAddress ?? '') };
    const mustMakeRoom = isFull || this.#waiting.length >= this.#limits.waiting;
    if (mustMakeRoom && !this.#makeRoom(entry.address)) return false;
    this.#waiting.push(entry);
    socket.once('close', () => {
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
    });
    this.#next();
    return true;
  }

  /** One address that sends no end of connections pushes its own away, and not those of others. */
  #makeRoom(comer: string): boolean {
    const counts = new Map<string, number>();
    for (const { address } of this.#waiting) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if ((counts.get(comer) ?? 0) >= most) return false;
    const index = this.#waiting.findLastIndex(({ address }) => counts.get(address) === most);
    for (const { socket } of this.#waiting.splice(index, 1)) socket.destroy();
    return true;
  }

  #next(): void {
    while (this.#unauthenticated < this.#limits.unauthenticated && this.#handshakes < this.#limits.handshakes) {
      const entry = this.#takeNext();
      if (!entry) return;
      this.#admit(entry.socket, this.#place(entry));
    }
    this.#makePlaces();
  }

  /** All places are taken: the address that has the most of them gives one to each that has none. */
  #makePlaces(): void {
    const comers = new Set(this.#waiting.map(({ address }) => address).filter((address) => !this.#shares.has(address)));
    const isShaking = this.#handshakes >= this.#limits.handshakes;
    const limit = isShaking ? this.#limits.handshakes : this.#limits.unauthenticated;
    const counted = (share: Share): number => (isShaking ? share.handshakes : share.unauthenticated);
    while (this.#leaving.size < comers.size) {
      const [busiest] = [...this.#shares.values()].toSorted((a, b) => counted(b) - counted(a));
      if (!busiest || counted(busiest) < Math.max(2, limit * LARGE_SHARE)) return;
      const candidates = [...busiest.sockets].filter(
        ([socket, shakes]) => !this.#leaving.has(socket) && (shakes || !isShaking),
      );
      const oldest = candidates[0]?.[0];
      // What is left of it are those that are leaving already.
      if (!oldest || candidates.length < 2) return;
      this.#leaving.add(oldest);
      oldest.destroy();
    }
  }

  /** The first one of the address that has the least under way. */
  #takeNext(): Waiting | undefined {
    let found = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const [index, { address }] of this.#waiting.entries()) {
      const { unauthenticated, handshakes } = this.#shares.get(address) ?? NOTHING;
      if (unauthenticated >= least || unauthenticated >= this.#limits.unauthenticatedPerAddress) continue;
      if (handshakes >= Math.ceil(this.#limits.handshakes / 2)) continue;
      found = index;
      least = unauthenticated;
      if (least === 0) break;
    }
    return found < 0 ? undefined : this.#waiting.splice(found, 1)[0];
  }

  #place({ socket, address }: Waiting): LoginPlace {
    let isShaking = true;
    let isHere = true;
    const share = this.#shares.get(address) ?? {
      unauthenticated: 0,
      handshakes: 0,
      sockets: new Map<Socket, boolean>(),
    };
    this.#shares.set(address, share);
    share.sockets.set(socket, true);
    this.#unauthenticated++;
    this.#handshakes++;
    share.unauthenticated++;
    share.handshakes++;
    const handshakeDone = (): void => {
      if (!isShaking) return;
      isShaking = false;
      if (isHere) share.sockets.set(socket, false);
      this.#handshakes--;
      share.handshakes--;
      this.#next();
    };
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      share.sockets.delete(socket);
      this.#leaving.delete(socket);
      this.#unauthenticated--;
      if (--share.unauthenticated === 0) this.#shares.delete(address);
      handshakeDone();
      this.#next();
    };
    return { handshakeDone, leave };
  }
}

const NOTHING = { unauthenticated: 0, handshakes: 0 };
/** Of all places; who has less gives none away. */
const LARGE_SHARE = 0.25;
