import { Worker } from 'node:worker_threads';
import type { Readable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { SpinWatch } from './spin-watch.ts';
import { SHARED } from './thread/thread-messages.ts';
import type { FromThread, ThreadData, ToThread } from './thread/thread-messages.ts';

/** Why a thread is gone, for people: `… spun for 20s`. `mark` is what it was at. */
export interface ThreadEnd {
  readonly mark: number;
  readonly reason: string;
}

export type ThreadMessage = Exclude<FromThread, { readonly type: 'ready' }>;

export interface CodeThreadOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly spinLimitMs: number;
  readonly memoryMb: number;
  readonly onMessage: (message: ThreadMessage) => void;
  readonly onSlow: (mark: number, silentMs: number) => void;
  /** It ended by itself, or was ended at a limit; never after `end()`. */
  readonly onEnd: (end: ThreadEnd) => void;
}

const PRINTED_CHARACTERS = 2_000;

/** One life of the thread of user code. */
export class CodeThread {
  readonly #worker: Worker;
  readonly #cells: Int32Array;
  readonly #watch: SpinWatch;
  readonly #options: CodeThreadOptions;
  #pings = 0;
  #reason: string | undefined;
  #isReady = false;
  #isBusy = false;
  #isEnding = false;

  constructor(options: CodeThreadOptions) {
    this.#options = options;
    const shared = new SharedArrayBuffer(SHARED.length * Int32Array.BYTES_PER_ELEMENT);
    this.#cells = new Int32Array(shared);
    this.#worker = new Worker(entry(), {
      name: 'trunkline-code',
      workerData: { shared } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: options.memoryMb },
      execArgv: [],
      stdout: true,
      stderr: true,
    });
    this.#watch = new SpinWatch({
      clock: options.clock,
      limitMs: options.spinLimitMs,
      ask: () => {
        this.#pings += 1;
        this.send({ type: 'ping' });
      },
      hasAnswered: () => Atomics.load(this.#cells, SHARED.pongs) === this.#pings,
      onSlow: (silentMs) => options.onSlow(this.#mark, silentMs),
      onLimit: (silentMs) => {
        this.#reason = `spun for ${Math.round(silentMs / 100) / 10}s without yielding`;
        void this.#worker.terminate();
      },
    });
    this.#listen();
  }

  send(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is of browser windows
    this.#worker.postMessage(message);
  }

  /** Whether user code may be at work: only then it is watched. */
  watch(isBusy: boolean): void {
    this.#isBusy = isBusy;
    // What it takes to start is not held against it.
    if (isBusy && this.#isReady) this.#watch.start();
    else this.#watch.stop();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#watch.stop();
    await this.#worker.terminate();
  }

  get #mark(): number {
    return Atomics.load(this.#cells, SHARED.mark);
  }

  #listen(): void {
    const { logger, memoryMb, onMessage, onEnd } = this.#options;
    this.#worker.on('message', (message: FromThread) => {
      if (this.#isEnding) return;
      if (message.type !== 'ready') return onMessage(message);
      this.#isReady = true;
      this.watch(this.#isBusy);
    });
    this.#worker.on('error', (error: Error & { readonly code?: string }) => {
      this.#reason ??=
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? `used more than ${memoryMb} MB of memory`
          : `broke the thread of user code: ${error.message}`;
    });
    this.#worker.on('exit', (code) => {
      this.#watch.stop();
      if (this.#isEnding) return;
      onEnd({ mark: this.#mark, reason: this.#reason ?? `ended the thread of user code (exit ${code})` });
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) tellPrinted(stream, logger);
  }
}

/** What user code prints goes to the master's log. */
function tellPrinted(stream: Readable, logger: Logger): void {
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    logger.info('the configuration printed', { text: text.trimEnd().slice(0, PRINTED_CHARACTERS) });
  });
}

/** Threads run built code, also when this file is run from its source (by tests). */
function entry(): URL {
  const url = new URL('./thread/code-host-main.js', import.meta.url);
  if (import.meta.url.endsWith('.ts')) url.pathname = url.pathname.replace(/\/src\/config\//, '/dist/src/config/');
  return url;
}
