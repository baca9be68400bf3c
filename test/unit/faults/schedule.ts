import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalBus } from '../../../src/bus/local-bus.ts';
import type { CommandOrder } from '../../../src/master/link/desk.ts';
import { openWorkerDesk } from '../../../src/master/link/worker-desk.ts';
import type { OpenWorkerDesk } from '../../../src/master/link/worker-desk.ts';
import type { Build } from '../../../src/model/build.ts';
import { HEARTBEAT_MS } from '../../../src/model/lost-worker.ts';
import { CreditPool } from '../../../src/protocol/credit.ts';
import type { CommandSpec, Outcome } from '../../../src/protocol/messages.ts';
import type { Store } from '../../../src/store/store.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { ErrorLog } from '../../support/error-log.ts';
import { seeded } from '../../support/seed.ts';
import { TempStore, buildSet } from '../../support/temp-store.ts';
import { WorkerSide } from '../../support/worker-side.ts';
import { SimKeeper } from './sim-keeper.ts';

/** Only a hang reaches it. */
const BOUND_MS = 100_000;

const MAX_STORY = 500;

interface Task {
  readonly order: CommandOrder;
  /** What a process prints, or what the file holds. */
  readonly content: Buffer;
  /** put: where it is on the worker. get: on the master. */
  readonly target: string;
  outcome?: Outcome;
}

interface Seated {
  readonly build: Build;
  /** One after the other but for a pair that runs beside each other. */
  readonly tasks: readonly (readonly Task[])[];
}

/**
 * One worker and one master with a few builds, and what befalls them, all drawn from one seed. Real: the desk, the store, the
 * worker's attachment, sessions, file operations and log sender, both links. Not real: time, processes, the line.
 */
export class Schedule {
  /** What was done, for whoever has to understand a failure. */
  readonly story: string[] = [];
  readonly #random: () => number;
  readonly #temp: TempStore;
  readonly #store: Store;
  readonly #keeper: SimKeeper;
  readonly #errors = new ErrorLog((line) => this.#tell(`  log: ${line}`));
  readonly #lines = new Set<MemoryFaults>();
  readonly #interrupted = new Set<string>();
  #tasks = new Map<string, Task>();
  #seated: readonly Seated[] = [];
  #isCalm = false;
  #isOver = false;
  #desk: OpenWorkerDesk | undefined;
  #worker: WorkerSide | undefined;
  #stopping = new AbortController();
  #builds: Promise<unknown> = Promise.resolve();

  private constructor(seed: number, temp: TempStore, store: Store) {
    this.#random = seeded(seed);
    this.#temp = temp;
    this.#store = store;
    this.#keeper = new SimKeeper(seeded(seed + 1), (command) => this.#task(command).content);
  }

  /** Runs it; resolves to what is wrong at the end. */
  static async run(seed: number): Promise<{ readonly wrong: readonly string[]; readonly story: readonly string[] }> {
    const temp = await TempStore.make();
    const schedule = new Schedule(seed, temp, await temp.open());
    try {
      const wrong = await schedule.#run();
      return { wrong, story: schedule.story };
    } catch (error) {
      return { wrong: [String(error), ...schedule.#wrong()], story: schedule.story };
    } finally {
      await schedule.#close();
    }
  }

  async #run(): Promise<readonly string[]> {
    await this.#prepare();
    this.#openDesk();
    await this.#openWorker();
    const events = 5 + this.#below(30);
    for (let n = 0; n < events; n++) {
      await this.#befall();
      await this.#pass();
    }
    await this.#calmDown();
    return [...this.#wrong(), ...(await this.#wrongContents())];
  }

  async #close(): Promise<void> {
    for (const line of this.#lines) line.cut('the schedule is over');
    this.#stopping.abort(new Error('the schedule is over'));
    this.#isOver = true;
    const desk = this.#desk;
    await this.#worker?.leave();
    await this.#builds;
    await desk?.close('the schedule is over');
    await this.#temp.remove();
  }

  /** Builds with their commands, as the store and the configuration know them. */
  async #prepare(): Promise<void> {
    const seated: Seated[] = [];
    for (let n = 0, builds = 1 + this.#below(3); n < builds; n++) {
      const [request] = await this.#store.requests.add(buildSet(`b${n}`));
      const build = await this.#store.requests.claim({
        requestId: request?.id ?? 0,
        worker: 'w',
        configHash: 'c0ffee',
        stepNames: ['make'],
        properties: [],
        atMs: 2_000,
      });
      const tasks: Task[][] = [];
      for (let m = 0, rounds = 1 + this.#below(3); m < rounds; m++) {
        const round: Task[] = [];
        for (let i = 0, pair = this.#chance(0.3) ? 2 : 1; i < pair; i++) round.push(await this.#newTask(build));
        tasks.push(round);
      }
      seated.push({ build, tasks });
    }
    this.#seated = seated;
  }

  async #newTask(build: Build): Promise<Task> {
    const key = String(this.#tasks.size + 1);
    const command = `${build.uid}.0.${key}`;
    const seat = (await this.#store.workers.seats('w')).find(({ session }) => session === build.session);
    if (!seat) throw new Error('a build without a seat');
    const kind = this.#chance(0.8) ? 'run' : this.#chance(0.5) ? 'put' : 'get';
    const content = this.#content();
    const log = await this.#store.commands.start(
      { id: command, buildId: build.id, step: 0, key, kind, call: {} },
      kind === 'run' ? { name: `log-${key}` } : undefined,
    );
    const [here, there] = [join(this.#temp.dir, `file-${key}`), join(this.#temp.dir, 'work', seat.directory)];
    if (kind === 'put') await writeFile(here, content);
    if (kind === 'get') {
      await mkdir(there, { recursive: true });
      await writeFile(join(there, key), content);
    }
    const about = kind === 'put' ? { size: content.length, sha256: sha256(content) } : {};
    const spec: CommandSpec = kind === 'run' ? { kind, shell: 'make' } : { kind, path: key, ...about };
    const order = { command, seat, spec, ...(log ? { logId: log.id } : { file: here }) };
    const task = { order, content, target: kind === 'put' ? join(there, key) : here };
    this.#tasks.set(command, task);
    return task;
  }

  /** Short and long, dense and thin; no part of it like another. */
  #content(): Buffer {
    const length = Math.floor(600_000 ** this.#random());
    if (this.#chance(0.3)) {
      const lines = Array.from({ length: Math.ceil(length / 40) }, (_, n) => `line ${n} ${'.'.repeat(40)}\n`);
      return Buffer.from(lines.join(''));
    }
    const content = Buffer.alloc(length);
    for (let at = 0; at + 4 <= length; at += 4) content.writeUInt32LE(Math.floor(this.#random() * 2 ** 32), at);
    return content;
  }

  #openDesk(): void {
    const { logger } = this.#errors;
    this.#stopping = new AbortController();
    this.#desk = openWorkerDesk({
      store: this.#store,
      bus: new LocalBus(logger),
      clock: this.#temp.clock,
      logger,
      masterId: 'master-1',
      filesDir: join(this.#temp.dir, 'files'),
      creditPool: new CreditPool(),
      rules: { ruleOf: () => Promise.resolve('wait'), heartbeatMs: () => HEARTBEAT_MS },
    });
    const { signal } = this.#stopping;
    const desk = this.#desk;
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
    if ((await this.#store.commands.find(command))?.state === 'finished') return;
    const running = desk.run(task.order, signal);
    if (this.#interrupted.has(command)) desk.interrupt(command, 'enough');
    const outcome = await running;
    await this.#store.commands.finish(command, { status: outcome.status });
    task.outcome = outcome;
    if (!signal.aborted) desk.forget(command);
  }

  async #openWorker(): Promise<void> {
    const { logger } = this.#errors;
    const { dir, clock } = this.#temp;
    this.#worker = await WorkerSide.open({ dir, keeper: this.#keeper, clock, logger });
    this.#worker.stay(() => this.#newLine());
  }

  /** At once, or when the master is there again. */
  async #newLine(): Promise<Carrier> {
    while (!this.#desk && !this.#isOver) await turn();
    const { worker, master, faults } = memoryCarriers();
    this.#lines.add(faults);
    void worker.closed.then(() => master.closed).then(() => this.#lines.delete(faults));
    if (this.#chance(0.5)) faults.shuffle(seeded(this.#below(2 ** 32)));
    if (!this.#isCalm && this.#chance(0.5)) this.#cutSoon(faults);
    this.#desk?.accept('w', master);
    return worker;
  }

  #cutSoon(faults: MemoryFaults): void {
    const side = this.#chance(0.5) ? 'worker' : 'master';
    const bytes = Math.floor((side === 'worker' ? 1_000_000 : 10_000) ** this.#random());
    this.#tell(`a line will be cut after ${bytes} bytes of the ${side}`);
    faults.cutAfter(side, bytes);
  }

  /** One thing out of all that may happen. */
  async #befall(): Promise<void> {
    const command = this.#draw(Array.from(this.#tasks.keys()));
    const line = Array.from(this.#lines).at(-1);
    const side = this.#chance(0.5) ? 'worker' : 'master';
    const drawn = this.#random();
    if (drawn < 0.3) {
      for (const one of this.#keeper.running()) this.#keeper.print(one, Math.floor(300_000 ** this.#random()));
      this.#tell('all that run print');
    } else if (drawn < 0.45) {
      const one = this.#draw(this.#keeper.running());
      if (one !== undefined) this.#keeper.exit(one);
      this.#tell(`${one} exits`);
    } else if (drawn < 0.55) {
      line?.cut();
      this.#tell('the line is cut');
    } else if (drawn < 0.62) {
      line?.loseSight('worker');
      this.#tell('the worker loses sight of its line, the master does not');
    } else if (drawn < 0.66) {
      line?.loseSight('master');
      this.#tell('the master loses sight of a line, the worker does not');
    } else if (drawn < 0.74) {
      line?.stall(side);
      this.#tell(`the line of the ${side} stalls`);
    } else if (drawn < 0.8) {
      line?.flow('worker');
      line?.flow('master');
      this.#tell('the line flows');
    } else if (drawn < 0.87) {
      const ms = [10, 500, 5_500, 16_000, 50_000, 61_000][this.#below(6)] ?? 0;
      this.#tell(`${ms} ms pass`);
      this.#temp.clock.advance(ms);
    } else if (drawn < 0.92) await this.#restartWorker();
    else if (drawn < 0.97) await this.#restartMaster(this.#chance(0.5));
    else if (command !== undefined) {
      this.#tell(`${command} is interrupted`);
      this.#interrupted.add(command);
      this.#desk?.interrupt(command, 'enough');
    }
  }

  async #restartWorker(): Promise<void> {
    this.#tell('the worker is started again');
    await this.#worker?.leave();
    await this.#openWorker();
  }

  async #restartMaster(isKind: boolean): Promise<void> {
    this.#tell(`the master is ${isKind ? 'stopped' : 'killed'} and started again`);
    const desk = this.#desk;
    this.#desk = undefined;
    // A line that is stalled or half dead keeps a goodbye for ever: the carrier in memory has no patience that ends.
    for (const line of this.#lines) {
      if (!isKind || line !== Array.from(this.#lines).at(-1)) line.cut();
      for (const side of ['worker', 'master'] as const) line.flow(side);
    }
    this.#stopping.abort(new Error('the master stops'));
    await this.#builds;
    await desk?.close('the master stops');
    this.#openDesk();
  }

  /** Lets what is under way go on for a while. */
  async #pass(): Promise<void> {
    for (let turns = this.#below(30); turns > 0; turns--) await turn();
    // The disk's work takes its own time.
    for (let waits = this.#below(4); waits > 0; waits--) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Nothing more befalls them; all comes to its end. */
  async #calmDown(): Promise<void> {
    this.#tell('calm');
    this.#isCalm = true;
    // Whoever waits for a line that died without a word finds out; or it goes on, late.
    if (this.#chance(0.7)) this.#temp.clock.advance(61_000);
    for (const line of this.#lines) {
      line.cutAfter('worker', Infinity);
      line.cutAfter('master', Infinity);
      line.flow('worker');
      line.flow('master');
    }
    let isDone = false;
    void this.#builds.then(() => (isDone = true));
    const end = performance.now() + BOUND_MS;
    for (;;) {
      for (const command of this.#keeper.running()) this.#keeper.exit(command);
      if (isDone && this.#keeper.held().length === 0) {
        const held = await this.#worker?.parts.commands.list();
        if (held?.length === 0) return;
      }
      if (performance.now() > end) throw new Error('it does not come to an end');
      // Slowly, so that nothing that has to be done by a time is late for the want of a processor.
      this.#temp.clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #wrong(): readonly string[] {
    const wrong = [...this.#errors.errors];
    for (const [command, { order, outcome }] of this.#tasks) {
      const starts = this.#keeper.starts.get(command) ?? 0;
      const wasInterrupted = this.#interrupted.has(command);
      if (starts > 1) wrong.push(`${command} was started ${starts} times`);
      if (!outcome) {
        wrong.push(`${command} has no outcome`);
        continue;
      }
      const { status, ended } = outcome;
      const isRight =
        ended === 'interrupt' && wasInterrupted
          ? status !== 'unknown'
          : status === (order.spec.kind === 'run' ? 'exited' : 'done');
      if (!isRight) wrong.push(`${command} ended so: ${JSON.stringify(outcome)}`);
    }
    return wrong;
  }

  async #wrongContents(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const [command, { order, content, target, outcome }] of this.#tasks) {
      if (order.logId !== undefined) {
        const printed = this.#keeper.printed.get(command) ?? Buffer.alloc(0);
        const stored = await this.#stored(order.logId);
        if (sha256(stored) !== sha256(printed)) {
          wrong.push(`${command} printed ${printed.length} bytes, stored are ${stored.length} others`);
        }
        if (outcome?.status === 'exited' && printed.length !== content.length)
          wrong.push(`${command} printed too little`);
      } else if (outcome?.status === 'done' && sha256(await readFile(target)) !== sha256(content)) {
        wrong.push(`${command}: ${target} is not what it should be`);
      }
      const state = (await this.#store.commands.find(command))?.state;
      if (state !== 'finished') wrong.push(`${command} is ${state} in the store`);
    }
    return wrong;
  }

  async #stored(logId: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#store.logs.read(logId, 0, Infinity)) pieces.push(Uint8Array.from(piece));
    return Buffer.concat(pieces);
  }

  #task(command: string): Task {
    const task = this.#tasks.get(command);
    if (!task) throw new Error(`${command} was never ordered`);
    return task;
  }

  #tell(line: string): void {
    if (this.story.at(-1) !== line && this.story.length < MAX_STORY) this.story.push(line);
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #draw<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
