import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { errorText } from '../../src/base/errors.ts';
import type { Logger } from '../../src/base/logger.ts';
import type { Carrier } from '../../src/transport/carrier.ts';
import { LinkRefused } from '../../src/transport/link-refused.ts';
import { SshConnectError } from '../../src/transport/ssh-connect-error.ts';
import { openWorkerLink } from '../../src/transport/worker-link.ts';
import { Commands } from '../../src/worker/commands/commands.ts';
import { Leavers } from '../../src/worker/commands/leavers.ts';
import { Evictor } from '../../src/worker/eviction/evictor.ts';
import { FileRecords } from '../../src/worker/files/file-record.ts';
import { MadeLists } from '../../src/worker/files/made-list.ts';
import type { Keeper } from '../../src/worker/keeper/keeper.ts';
import { Attachment } from '../../src/worker/link/attachment.ts';
import { KeyedQueue } from '../../src/worker/link/keyed-queue.ts';
import { SecretFiles } from '../../src/worker/files/secret-files.ts';
import type { WorkerParts } from '../../src/worker/link/worker-parts.ts';
import { ChunkBudget } from '../../src/worker/logs/chunk-budget.ts';
import { SessionBook } from '../../src/worker/session-book.ts';
import { HELLO } from './hello.ts';

export interface WorkerSideOptions {
  /** For its state and its work; what is there is found again. */
  readonly dir: string;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** All of a worker's daemon but its folder's lock and its patience: when a line has ended it takes the next one at once. */
export class WorkerSide {
  readonly parts: WorkerParts;
  readonly #options: WorkerSideOptions;
  #carrier: Carrier | undefined;
  #isLeaving = false;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: WorkerSideOptions, parts: WorkerParts) {
    this.#options = options;
    this.parts = parts;
  }

  static async open(options: WorkerSideOptions): Promise<WorkerSide> {
    const { dir, keeper, clock, logger } = options;
    const [workDir, state, files] = [join(dir, 'work'), join(dir, 'state'), join(dir, 'state', 'files')];
    for (const folder of [workDir, files]) await mkdir(folder, { recursive: true });
    const sessions = await SessionBook.open(state);
    const records = await FileRecords.open(files, logger);
    const lists = await MadeLists.open(join(state, 'lists'), () => true);
    const environment = () => ({ PATH: process.env['PATH'] ?? '' });
    const commands = new Commands({ keeper, records, lists, sessions, workDir, clock, environment });
    const secretFiles = await SecretFiles.open(state, workDir, logger);
    const orders = new KeyedQueue((order, error) => logger.error(`an order failed: ${errorText(error)}`, { order }));
    const leavers = new Leavers({ commands, keeper, clock });
    const budget = new ChunkBudget();
    const limits = { keepFreeBytes: 0 };
    const cacheDir = join(dir, 'cache');
    const evictor = new Evictor({
      sessions,
      commands,
      orders,
      workDir,
      limits,
      cacheDir,
      cacheLimits: {},
      clock,
      logger,
    });
    return new WorkerSide(options, {
      sessions,
      commands,
      secretFiles,
      leavers,
      keeper,
      evictor,
      budget,
      orders,
      workDir,
      clock,
      logger,
    });
  }

  /** Takes line after line until `leave`. */
  stay(open: () => Promise<Carrier>): void {
    this.#isLeaving = false;
    this.#loop = this.#stay(open);
  }

  /** Lets go of the line without a word, as one that is killed; resolves when nothing goes on. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#carrier?.destroy('the worker is gone');
    await this.#loop;
    await this.parts.orders.idle();
    await this.parts.sessions.close();
  }

  async #stay(open: () => Promise<Carrier>): Promise<void> {
    while (!this.#isLeaving) {
      try {
        await this.#serve(await open());
      } catch (error) {
        if (error instanceof LinkRefused || error instanceof SshConnectError) continue;
        this.#options.logger.error(`the worker failed: ${errorText(error)}`);
        return;
      } finally {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  async #serve(carrier: Carrier): Promise<void> {
    this.#carrier = carrier;
    if (this.#isLeaving) return carrier.destroy('the worker is gone');
    const { clock, logger } = this.#options;
    const hello = { ...HELLO, worker: 'w', capabilities: ['files'] };
    const { link } = await openWorkerLink(carrier, { hello, clock, logger });
    const attachment = new Attachment(this.parts, link);
    try {
      await attachment.start();
      await link.closed;
    } finally {
      link.destroy('done with');
      await attachment.close();
    }
  }
}
