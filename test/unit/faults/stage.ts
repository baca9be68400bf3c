import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalBus } from '../../../src/bus/local-bus.ts';
import { openWorkerDesk } from '../../../src/master/link/worker-desk.ts';
import type { OpenWorkerDesk } from '../../../src/master/link/worker-desk.ts';
import { HEARTBEAT_MS } from '../../../src/model/lost-worker.ts';
import { CreditPool } from '../../../src/protocol/credit.ts';
import type { Store } from '../../../src/store/store.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { NO_KEY_RING } from '../../support/no-key-ring.ts';
import type { ErrorLog } from '../../support/error-log.ts';
import { seeded } from '../../support/seed.ts';
import { TempStore } from '../../support/temp-store.ts';
import { WorkerSide } from '../../support/worker-side.ts';
import type { Chance } from './chance.ts';
import { SimKeeper } from './sim-keeper.ts';
import { makeBuilds } from './tasks.ts';
import type { Seated, Task } from './tasks.ts';

/**
 * One worker and one master with a few builds. Real: the desk, the store, the worker's attachment, sessions, file operations and
 * log sender, both links. Not real: time, processes, the line.
 */
export class Stage {
  readonly temp: TempStore;
  readonly keeper: SimKeeper;
  /** By command. */
  readonly tasks: ReadonlyMap<string, Task>;
  readonly lines = new Set<MemoryFaults>();
  /** From now on lines are good. */
  isCalm = false;
  readonly #seated: readonly Seated[];
  readonly #chance: Chance;
  readonly #errors: ErrorLog;
  readonly #tell: (line: string) => void;
  #store: Store;
  #isOver = false;
  #desk: OpenWorkerDesk | undefined;
  #worker: WorkerSide | undefined;
  #stopping = new AbortController();
  #builds: Promise<unknown> = Promise.resolve();
  #hasCopy = false;

  private constructor(
    seed: number,
    parts: { temp: TempStore; store: Store; seated: readonly Seated[]; chance: Chance },
    errors: ErrorLog,
    tell: (line: string) => void,
  ) {
    const { temp, store, seated, chance } = parts;
    this.temp = temp;
    this.#store = store;
    this.#seated = seated;
    this.#chance = chance;
    this.#errors = errors;
    this.#tell = tell;
    this.tasks = new Map(seated.flatMap(({ tasks }) => tasks.flat().map((task) => [task.order.command, task])));
    this.keeper = new SimKeeper(seeded(seed + 1), (command) => this.#task(command).content);
  }

  static async open(seed: number, chance: Chance, errors: ErrorLog, tell: (line: string) => void): Promise<Stage> {
    const temp = await TempStore.make();
    const store = await temp.open();
    const seated = await makeBuilds({ store, dir: temp.dir, chance });
    const stage = new Stage(seed, { temp, store, seated, chance }, errors, tell);
    stage.#openDesk();
    await stage.#openWorker();
    return stage;
  }

  async close(): Promise<void> {
    for (const line of this.lines) line.cut('the schedule is over');
    this.#stopping.abort(new Error('the schedule is over'));
    this.#isOver = true;
    const desk = this.#desk;
    await this.#worker?.leave();
    await this.#builds;
    await desk?.close('the schedule is over');
    await this.temp.remove();
  }

  get store(): Store {
    return this.#store;
  }

  /** Resolves when all builds of this life of the master are done. */
  get builds(): Promise<unknown> {
    return this.#builds;
  }

  /** True when the worker holds nothing any more. */
  async isWorkerEmpty(): Promise<boolean> {
    const held = await this.#worker?.parts.commands.list();
    return held?.length === 0 && this.keeper.held().length === 0;
  }

  interrupt(command: string): void {
    this.#task(command).isInterrupted = true;
    this.#desk?.interrupt(command, 'enough');
  }

  /** Its build ends without it, whatever of it is under way. */
  giveUp(command: string): void {
    const task = this.#task(command);
    if (task.outcome) return;
    task.giveUp ??= new AbortController();
    task.giveUp.abort(new Error('given up'));
  }

  /** What happens to the keeper's disk happens while no daemon runs. */
  async restartWorker(meanwhile: () => void | Promise<void> = () => undefined): Promise<void> {
    await this.#worker?.leave();
    await meanwhile();
    await this.#openWorker();
  }

  /** The machine loses power: what was not synced yet is gone, and nothing runs any more. */
  async failPower(): Promise<void> {
    await this.restartWorker(() => {
      for (const command of this.keeper.failPower()) this.#task(command).isDamaged = true;
    });
  }

  /** Somebody cleans up where the keeper keeps its files. */
  async loseSpool(): Promise<void> {
    await this.restartWorker(async () => {
      for (const command of this.keeper.loseSpool()) {
        const task = this.#task(command);
        task.isDamaged = true;
        // Only what the master had heard of cannot be started anew.
        if ((await this.#store.commands.find(command))?.seenBy === undefined) task.mayRunAgain += 1;
      }
    });
  }

  async restartMaster(isKind: boolean, meanwhile: () => void | Promise<void> = () => undefined): Promise<void> {
    const desk = this.#desk;
    this.#desk = undefined;
    // A line that is stalled or half dead keeps a goodbye for ever: the carrier in memory has no patience that ends.
    for (const line of this.lines) {
      if (!isKind || line !== Array.from(this.lines).at(-1)) line.cut();
      for (const side of ['worker', 'master'] as const) line.flow(side);
    }
    this.#stopping.abort(new Error('the master stops'));
    await this.#builds;
    await desk?.close('the master stops');
    await meanwhile();
    this.#openDesk();
  }

  /** The database is copied; or, when it was, the copy is put back. */
  async backUp(): Promise<void> {
    const { dir, file, archiveDir } = this.temp;
    await this.restartMaster(true, async () => {
      await this.#store.close();
      await mkdir(archiveDir, { recursive: true });
      const copies = [
        [file, join(dir, 'copy.sqlite')],
        [archiveDir, join(dir, 'copy.logs')],
      ] as const;
      for (const [place, copy] of copies) {
        const [from, to] = this.#hasCopy ? [copy, place] : [place, copy];
        await rm(to, { recursive: true, force: true });
        await cp(from, to, { recursive: true });
      }
      if (this.#hasCopy) {
        for (const task of this.tasks.values())
          Object.assign(task, { isDamaged: true, mayRunAgain: task.mayRunAgain + 1 });
      }
      this.#hasCopy = !this.#hasCopy;
      this.#store = await this.temp.open();
    });
  }

  #openDesk(): void {
    const { logger } = this.#errors;
    this.#stopping = new AbortController();
    const desk = openWorkerDesk({
      store: this.#store,
      bus: new LocalBus(logger),
      clock: this.temp.clock,
      logger,
      masterId: 'master-1',
      filesDir: join(this.temp.dir, 'files'),
      creditPool: new CreditPool(),
      keyRing: NO_KEY_RING,
      rules: { ruleOf: () => Promise.resolve('wait'), heartbeatMs: () => HEARTBEAT_MS },
    });
    this.#desk = desk;
    const { signal } = this.#stopping;
    this.#builds = Promise.all(this.#seated.map((seated) => this.#build(desk, seated, signal)));
  }

  /** As a build's run does; ends early when the master stops. */
  async #build(desk: OpenWorkerDesk, { tasks }: Seated, signal: AbortSignal): Promise<void> {
    try {
      for (const round of tasks) await Promise.all(round.map((task) => this.#command(desk, task, signal)));
    } catch (error) {
      if (!signal.aborted) this.#errors.logger.error(`a build failed: ${String(error)}`);
    }
  }

  async #command(desk: OpenWorkerDesk, task: Task, signal: AbortSignal): Promise<void> {
    const { command } = task.order;
    const store = this.#store;
    if ((await store.commands.find(command))?.state === 'finished') return;
    task.giveUp ??= new AbortController();
    const { signal: givenUp } = task.giveUp;
    const running = desk.run(task.order, AbortSignal.any([signal, givenUp]));
    if (task.isInterrupted) desk.interrupt(command, 'enough');
    try {
      const outcome = await running;
      await store.commands.finish(command, { status: outcome.status });
      task.outcome = outcome;
    } catch (error) {
      if (signal.aborted || !givenUp.aborted) throw error;
      await store.commands.finish(command, { status: 'given up' });
    }
    if (!signal.aborted) desk.forget(command);
  }

  async #openWorker(): Promise<void> {
    const { logger } = this.#errors;
    const { dir, clock } = this.temp;
    this.#worker = await WorkerSide.open({ dir, keeper: this.keeper, clock, logger });
    this.#worker.stay(() => this.#newLine());
  }

  /** At once, or when the master is there again. */
  async #newLine(): Promise<Carrier> {
    while (!this.#desk && !this.#isOver) await new Promise((resolve) => setImmediate(resolve));
    const { worker, master, faults } = memoryCarriers();
    this.lines.add(faults);
    void worker.closed.then(() => master.closed).then(() => this.lines.delete(faults));
    const chance = this.#chance;
    if (chance.happens(0.5)) faults.shuffle(seeded(chance.below(2 ** 32)));
    if (!this.isCalm && chance.happens(0.5)) this.#cutSoon(faults);
    this.#desk?.accept('w', master);
    return worker;
  }

  #cutSoon(faults: MemoryFaults): void {
    const side = this.#chance.happens(0.5) ? 'worker' : 'master';
    const bytes = Math.floor((side === 'worker' ? 1_000_000 : 10_000) ** this.#chance.next());
    this.#tell(`a line will be cut after ${bytes} bytes of the ${side}`);
    faults.cutAfter(side, bytes);
  }

  #task(command: string): Task {
    const task = this.tasks.get(command);
    if (!task) throw new Error(`${command} was never ordered`);
    return task;
  }
}
