import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { sumOf } from './held-back.ts';
import type { HeldBack } from './held-back.ts';
import { KeeperLine } from './keeper-line.ts';
import { listSockets } from './keeper-socket.ts';
import { KEEPER_VERSION } from './order-line.ts';
import { startKeeperProcess } from './start-keeper-process.ts';
import type { StartOptions } from './start-keeper-process.ts';

export interface KeeperLinesOptions extends StartOptions {
  readonly logger: Logger;
  /** A keeper went away, or closed its socket. */
  readonly onLost: () => void;
}

/** A socket is there a moment before its keeper listens. */
const YOUNG_MS = 60_000;
/** One that takes longer for its hello is told of: SIGSTOP, or a machine that is far too busy. */
const ANSWER_MS = 10_000;

/** The daemon's connections to the keepers of its spool; makes a keeper when there is none. */
export class KeeperLines {
  readonly #options: KeeperLinesOptions;
  readonly #lines = new Set<KeeperLine>();
  #starting: Promise<KeeperLine> | undefined;
  #isClosed = false;

  constructor(options: KeeperLinesOptions) {
    this.#options = options;
  }

  /** Connects to every keeper that is there and not connected yet; removes the sockets of dead ones. True if one was found. */
  async connect(): Promise<boolean> {
    let hasFound = false;
    const known = new Set(Array.from(this.#lines, (line) => line.path));
    for (const { path, version } of listSockets(this.#options.socketDir)) {
      // One that is being started is connected to by who starts it.
      if (known.has(path) || this.#starting || this.#isClosed) continue;
      const warning = setTimeout(() => {
        const message =
          'a keeper has not answered for long and is waited for, as it knows what was started: is it stopped?';
        this.#options.logger.warn(message, { path });
      }, ANSWER_MS);
      try {
        this.#add(await KeeperLine.open(path, version, this.#options.hears));
        hasFound = true;
      } catch (error) {
        this.#options.logger.debug('a keeper does not answer', { path, error: errorText(error) });
        await removeOld(path);
      } finally {
        clearTimeout(warning);
      }
    }
    return hasFound;
  }

  /** A keeper of this version, which takes starts. */
  async current(): Promise<KeeperLine> {
    for (const line of this.#lines) if (line.version === KEEPER_VERSION && line.isOpen) return line;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** The line to the very keeper, if there is one. */
  find(pid: number): KeeperLine | undefined {
    for (const line of this.#lines) if (line.isOpen && line.keeper.pid === pid) return line;
    return undefined;
  }

  heldBack(): HeldBack {
    return sumOf(Array.from(this.#lines, (line) => line.heldBack));
  }

  close(): void {
    this.#isClosed = true;
    for (const line of this.#lines) line.close();
    this.#lines.clear();
  }

  async #start(): Promise<KeeperLine> {
    const line = await startKeeperProcess(this.#options);
    this.#options.logger.debug('started a keeper', { pid: line.keeper.pid });
    this.#add(line);
    return line;
  }

  #add(line: KeeperLine): void {
    if (this.#isClosed) return line.close();
    this.#lines.add(line);
    line.onClose(() => {
      this.#lines.delete(line);
      this.#options.hears.onHeldBack();
      if (!this.#isClosed) this.#options.onLost();
    });
  }
}

async function removeOld(path: string): Promise<void> {
  const made = statSync(path, { throwIfNoEntry: false });
  if (made && Date.now() - made.mtimeMs > YOUNG_MS) await rm(path, { force: true });
}
