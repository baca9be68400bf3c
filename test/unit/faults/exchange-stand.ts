import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import type { Logger } from '../../../src/base/logger.ts';
import type { Outcome } from '../../../src/protocol/messages.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import type { Keeper } from '../../../src/worker/keeper/keeper.ts';
import { openKeeper } from '../../../src/worker/keeper/open-keeper.ts';
import { ErrorLog } from '../../support/error-log.ts';
import { until } from '../../support/until.ts';
import { WorkerSide } from '../../support/worker-side.ts';
import { DeskBench } from '../master/link/desk-bench.ts';

/** Three whole chunks and a part of one, which compress to little: each byte of the exchange is to be cut at. */
const OUTPUT = Buffer.from(Array.from({ length: 420 }, (_, line) => `${line} ${'-'.repeat(2_000)}\n`).join(''));
if (OUTPUT.length < 3 * LIMITS.chunkBytes) throw new Error('the output is too short for three chunks');
const PRINTED = Buffer.concat([OUTPUT, Buffer.from('stopped\n')]);

/** Notes its start, prints, and waits for its stop, which it notes as well. Built-in words only: nothing of it can outlive it. */
const SCRIPT = `trap 'echo stopped; exit 7' TERM
echo start >> "starts-$1"
cat output
exec 3<> hold
read line <&3
exit 1`;

/** A real desk with its store, and a real worker with its keeper; what runs between them is the test's. */
export class ExchangeStand {
  readonly bench: DeskBench;
  readonly #dir: string;
  readonly #keeper: Keeper;
  readonly #worker: WorkerSide;
  readonly #errors: ErrorLog;
  #exchanges = 0;

  private constructor(bench: DeskBench, dir: string, keeper: Keeper, worker: WorkerSide, errors: ErrorLog) {
    this.bench = bench;
    this.#dir = dir;
    this.#keeper = keeper;
    this.#worker = worker;
    this.#errors = errors;
  }

  static async make(): Promise<ExchangeStand> {
    const errors = new ErrorLog();
    const { logger } = errors;
    const bench = await DeskBench.make(logger);
    const dir = await mkdtemp(join(tmpdir(), 'tl-x-'));
    const keeper = await openKeeper({ spoolDir: join(dir, 'spool'), clock: systemClock, logger });
    const worker = await WorkerSide.open({ dir, keeper, clock: systemClock, logger });
    const stand = new ExchangeStand(bench, dir, keeper, worker, errors);
    await mkdir(stand.#folder, { recursive: true });
    await writeFile(join(stand.#folder, 'output'), OUTPUT);
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', join(stand.#folder, 'hold')]);
    return stand;
  }

  /**
   * A whole exchange, over as many lines as it takes: the worker logs in, its session is opened, a command is started, prints,
   * is stopped and forgotten. Resolves to what is wrong afterwards.
   */
  async exchange(open: () => Promise<Carrier>): Promise<Partial<Record<string, unknown>>> {
    const { store, desk, seat } = this.bench;
    const name = String(++this.#exchanges);
    const argv = ['/bin/sh', '-c', SCRIPT, 'sh', name];
    const order = await this.bench.order({ kind: 'run', argv, killAfterMs: 60_000 });
    const { command, log } = order;
    const run = this.bench.run(order);
    this.#worker.stay(open);
    await until('all that it printed is stored', async () => (await this.bench.storedLength(log)) >= OUTPUT.length);
    desk.interrupt(command, 'enough');
    const outcome = await run;
    await store.commands.finish(command, { status: outcome.status });
    desk.forget(command);
    await until('the worker forgot it', async () => (await this.#worker.parts.commands.list()).length === 0);
    const spooled = (await readdir(join(this.#dir, 'spool'))).filter((entry) => entry === command);
    await this.#worker.leave();
    await until('the desk has seen it go', () => !desk.connected().has('w'));
    await this.#worker.parts.sessions.remove(seat.session, 0);
    // So that a worker that comes and goes all the time is not taken for two.
    this.bench.clock.advance(60_000);
    return this.#wrong(name, outcome, {
      sha256: await this.#stored(log.id),
      state: (await store.commands.find(command))?.state,
      spooled,
    });
  }

  get logger(): Logger {
    return this.#errors.logger;
  }

  async remove(): Promise<void> {
    await this.#worker.leave();
    await this.#keeper.close();
    await this.bench.remove();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 10 });
  }

  get #folder(): string {
    return join(this.#dir, 'work', this.bench.seat.directory);
  }

  async #stored(logId: number): Promise<string> {
    const hash = createHash('sha256');
    for await (const piece of this.bench.store.logs.read(logId, 0, Infinity)) hash.update(piece);
    return hash.digest('hex');
  }

  async #wrong(
    name: string,
    { status, exitCode, ended }: Outcome,
    found: { readonly sha256: string; readonly state: string | undefined; readonly spooled: readonly string[] },
  ): Promise<Partial<Record<string, unknown>>> {
    const starts = await readFile(join(this.#folder, `starts-${name}`), 'utf8');
    const all = { ...found, status, exitCode, ended, starts, errors: this.#errors.errors.splice(0).join('; ') };
    const right: Record<string, unknown> = {
      sha256: createHash('sha256').update(PRINTED).digest('hex'),
      state: 'finished',
      spooled: [],
      status: 'exited',
      exitCode: 7,
      ended: 'interrupt',
      starts: 'start\n',
      errors: '',
    };
    const entries = Object.entries(all).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(right[key]));
    return Object.fromEntries(entries);
  }
}
