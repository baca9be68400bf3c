import { join } from 'node:path';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { Logger } from '../../../../src/base/logger.ts';
import { LocalBus } from '../../../../src/bus/local-bus.ts';
import type { CommandOrder } from '../../../../src/master/link/desk.ts';
import { openWorkerDesk } from '../../../../src/master/link/worker-desk.ts';
import type { OpenWorkerDesk } from '../../../../src/master/link/worker-desk.ts';
import type { Build } from '../../../../src/model/build.ts';
import type { Json } from '../../../../src/model/json.ts';
import type { Log } from '../../../../src/model/log.ts';
import { HEARTBEAT_MS } from '../../../../src/model/lost-worker.ts';
import type { WhenWorkerLost } from '../../../../src/model/lost-worker.ts';
import type { Seat } from '../../../../src/model/worker.ts';
import { CreditPool } from '../../../../src/protocol/credit.ts';
import type { CommandSpec, Outcome } from '../../../../src/protocol/messages.ts';
import type { Store } from '../../../../src/store/store.ts';
import { NO_KEY_RING } from '../../../support/no-key-ring.ts';
import { TempStore, claimedBuild } from '../../../support/temp-store.ts';

/** A desk over a real store with one running build on worker `w`, which can be closed and opened like a master. */
export class DeskBench {
  readonly clock = new FakeClock();
  readonly #temp: TempStore;
  readonly #logger: Logger;
  readonly store: Store;
  readonly build: Build;
  readonly seat: Seat;
  desk: OpenWorkerDesk;
  /** Of the build; undefined: its configuration cannot be read. */
  rule: WhenWorkerLost | Promise<WhenWorkerLost> | undefined = 'wait';
  /** So often somebody wanted to know it. */
  ruleReads = 0;
  readonly stopping = new AbortController();
  #calls = 0;

  private constructor(temp: TempStore, logger: Logger, store: Store, build: Build, seat: Seat) {
    this.#temp = temp;
    this.#logger = logger;
    this.store = store;
    this.build = build;
    this.seat = seat;
    this.desk = this.#open();
  }

  static async make(logger: Logger = silentLogger): Promise<DeskBench> {
    const temp = await TempStore.make();
    const store = await temp.open();
    const build = await claimedBuild(store);
    const [seat] = await store.workers.seats('w');
    return new DeskBench(temp, logger, store, build, seat!);
  }

  get dir(): string {
    return this.#temp.dir;
  }

  get filesDir(): string {
    return join(this.#temp.dir, 'files');
  }

  /** Records a call as the builds do, and makes its order. */
  async order(
    spec: CommandSpec = { kind: 'run', shell: 'true' },
    file?: string,
    call: Json = {},
  ): Promise<CommandOrder & { readonly log: Log }> {
    const key = String(++this.#calls);
    const command = `${this.build.uid}.0.${key}`;
    const log = await this.store.commands.start(
      { id: command, buildId: this.build.id, step: 0, key, kind: spec.kind, call },
      { name: `log-${key}` },
    );
    return { command, seat: this.seat, spec, logId: log!.id, log: log!, ...(file === undefined ? {} : { file }) };
  }

  /** Gives the order to the desk of the moment. One whose master stops may reject unheard. */
  run(order: CommandOrder): Promise<Outcome> {
    const outcome = this.desk.run(order, this.stopping.signal);
    outcome.catch(() => undefined);
    return outcome;
  }

  async text(log: Log): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.store.logs.read(log.id, 0, Infinity)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }

  async storedLength(log: Log): Promise<number> {
    return (await this.store.logs.find(log.id))?.length ?? -1;
  }

  /** A master that was killed leaves nothing but its store. */
  async restart(): Promise<void> {
    await this.desk.close('restart');
    this.desk = this.#open();
  }

  async remove(): Promise<void> {
    this.stopping.abort(new Error('the test is over'));
    await this.desk.close('the test is over');
    await this.#temp.remove();
  }

  #ruleOf(): Promise<WhenWorkerLost> {
    this.ruleReads += 1;
    return this.rule ? Promise.resolve(this.rule) : Promise.reject(new Error('no such configuration'));
  }

  #open(): OpenWorkerDesk {
    const bus = new LocalBus(this.#logger);
    return openWorkerDesk({
      store: this.store,
      bus,
      clock: this.clock,
      logger: this.#logger,
      masterId: 'master-1',
      filesDir: this.filesDir,
      creditPool: new CreditPool(),
      keyRing: NO_KEY_RING,
      rules: { ruleOf: () => this.#ruleOf(), heartbeatMs: () => HEARTBEAT_MS },
    });
  }
}
