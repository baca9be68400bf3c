import { once } from 'node:events';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { NOTHING_HELD } from './held-back.ts';
import type { HeldBack } from './held-back.ts';
import type { Order, Report } from './order-line.ts';
import { KEEPER_VERSION, readLines, sendLine } from './order-line.ts';
import type { ProcessIdentity } from './process-table.ts';

export type OrderBody = Order extends infer O ? (O extends Order ? Omit<O, 'id'> : never) : never;

/** The keeper went away before it answered: what it did is on the disk. */
export class KeeperGone extends Error {
  override readonly name = 'KeeperGone';
}

/** What a keeper tells without being asked. */
export interface KeeperEars {
  readonly onProgress: (commands: readonly string[]) => void;
  /** `heldBack` changed. */
  readonly onHeldBack: () => void;
}

/** A daemon's connection to one keeper. */
export class KeeperLine {
  readonly path: string;
  readonly version: number;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Deferred<Report>>();
  #lastId = 0;
  #heldBack = NOTHING_HELD;
  #keeper: ProcessIdentity | undefined;

  private constructor(path: string, version: number, socket: Socket, hears: KeeperEars) {
    this.path = path;
    this.version = version;
    this.#socket = socket;
    socket.on('error', () => {
      // 'close' follows and tells those who wait.
    });
    socket.on('close', () => {
      for (const waiting of this.#waiting.values()) waiting.reject(new KeeperGone('the keeper went away'));
      this.#waiting.clear();
    });
    readLines(socket, (value) => {
      const report = value as Report;
      if ('progress' in report) return hears.onProgress(report.progress);
      if ('heldBack' in report) {
        this.#heldBack = report.heldBack;
        return hears.onHeldBack();
      }
      this.#waiting.get(report.id)?.resolve(report);
      this.#waiting.delete(report.id);
    });
  }

  /** Rejects when nobody listens there. */
  static async open(path: string, version: number, hears: KeeperEars): Promise<KeeperLine> {
    const socket = createConnection(path);
    await once(socket, 'connect');
    const line = new KeeperLine(path, version, socket, hears);
    line.#keeper = (await line.#ask({ order: 'hello', version: KEEPER_VERSION, daemon: process.pid })).keeper;
    return line;
  }

  get keeper(): ProcessIdentity {
    if (!this.#keeper) throw new KeeperGone('the keeper did not say who it is');
    return this.#keeper;
  }

  /** As the keeper told last. */
  get heldBack(): HeldBack {
    return this.#heldBack;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  onClose(listener: () => void): void {
    if (this.#socket.destroyed) listener();
    else this.#socket.on('close', listener);
  }

  /** Rejects with KeeperGone, or with what the keeper says went wrong. */
  async order(body: OrderBody): Promise<void> {
    await this.#ask(body);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(body: OrderBody): Promise<Extract<Report, { id: number }>> {
    if (this.#socket.destroyed) throw new KeeperGone('the keeper is gone');
    const id = ++this.#lastId;
    const answer = deferred<Report>();
    this.#waiting.set(id, answer);
    sendLine(this.#socket, { ...body, id });
    const report = await answer.promise;
    if (!('id' in report)) throw new Error('a keeper answered with news');
    if (report.error !== undefined) throw new Error(report.error);
    return report;
  }
}
