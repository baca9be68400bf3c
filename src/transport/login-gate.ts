import type { Socket } from 'node:net';

export interface LoginGateLimits {
  /** Connections that are not logged in yet: in all, from one address, and busy with the key exchange. */
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

/**
 * Lets connections in so that strangers cannot use the machine up before they have proved who they are. Over the limits a
 * connection is not dropped: it waits unread, in order, and many workers behind one address only take longer to come in.
 */
export class LoginGate {
  readonly #limits: LoginGateLimits;
  readonly #admit: (socket: Socket, place: LoginPlace) => void;
  #waiting: Waiting[] = [];
  readonly #perAddress = new Map<string, number>();
  #unauthenticated = 0;
  #handshakes = 0;

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

  /** The socket is paused; false when there is no room even to wait. */
  enter(socket: Socket): boolean {
    const entry = { socket, address: socket.remoteAddress ?? '' };
    if (this.#waiting.length >= this.#limits.waiting && !this.#makeRoom(entry.address)) return false;
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
      const index = this.#waiting.findIndex(({ address }) => this.#countOf(address) < this.#perAddressLimit);
      const [entry] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (!entry) return;
      this.#admit(entry.socket, this.#place(entry.address));
    }
  }

  #place(address: string): LoginPlace {
    let isShaking = true;
    let isHere = true;
    this.#unauthenticated++;
    this.#handshakes++;
    this.#perAddress.set(address, this.#countOf(address) + 1);
    const handshakeDone = (): void => {
      if (!isShaking) return;
      isShaking = false;
      this.#handshakes--;
      this.#next();
    };
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      this.#unauthenticated--;
      const left = this.#countOf(address) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
      handshakeDone();
      this.#next();
    };
    return { handshakeDone, leave };
  }

  get #perAddressLimit(): number {
    return this.#limits.unauthenticatedPerAddress;
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }
}
