import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Farm, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { faultStream } from '../support/fault-stream.ts';
import type { FaultStream } from '../support/fault-stream.ts';
import { keepersOf } from '../support/keepers-of.ts';
import { measure, probed } from '../support/probe.ts';
import type { Measure } from '../support/probe.ts';
import { until } from '../support/until.ts';
import { farmConfig, WORKERS } from './farm-config.ts';
import { Ledger } from './ledger.ts';
import type { Violations } from './violations.ts';

/** Relays and people connect from here: see `faultStream`. */
export const ELSEWHERE = '127.0.0.2';
const PAYLOAD_BYTES = 3_000_000;

/** What a daemon or a keeper holds. */
export interface DaemonMeasure extends Measure {
  readonly daemon: string;
}

/** The farm under test: a master, its workers, each behind a relay, and what starts and ends their processes. */
export class Site {
  readonly farm: Farm;
  readonly ledger: Ledger;
  readonly payload = randomBytes(PAYLOAD_BYTES);
  /** A secret of the master's, which builds print. */
  readonly whisper = randomBytes(12).toString('hex');
  readonly killedKeepers = new Set<number>();
  /** Commands whose keeper was killed before they were forgotten. */
  readonly orphans = new Set<string>();
  /** Those of them that it had not seen the end of. */
  readonly lostCommands = new Set<string>();
  readonly #violations: Violations;
  readonly #daemons = new Map<string, Daemon>();
  readonly #relays = new Map<string, FaultStream>();
  readonly #env: Readonly<Record<string, string>>;
  #generation = 1;

  private constructor(farm: Farm, ledger: Ledger, violations: Violations) {
    this.farm = farm;
    this.ledger = ledger;
    this.#violations = violations;
    this.#env = probed(join(farm.dir, 'measures'));
  }

  static async open(violations: Violations): Promise<Site> {
    const farm = await Farm.create();
    const site = new Site(farm, await Ledger.create(join(farm.dir, 'ledger')), violations);
    await mkdir(join(farm.dir, 'measures'));
    await writeFile(join(farm.masterDir, 'in.bin'), site.payload);
    await writeFile(join(farm.masterDir, 'whisper'), site.whisper, { mode: 0o600 });
    await site.#writeConfig();
    await site.start('master');
    for (const name of WORKERS) {
      const relay = await faultStream(farm.port, ELSEWHERE);
      site.#relays.set(name, relay);
      await farm.addWorker(name, relay.port);
      await site.start(name);
    }
    return site;
  }

  relay(worker: string): FaultStream {
    const relay = this.#relays.get(worker);
    if (!relay) throw new Error(`there is no relay of ${worker}`);
    return relay;
  }

  /** Only this ends a daemon: whatever ends by itself is a violation. */
  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemons.get(name);
    this.#daemons.delete(name);
    await daemon?.end(signal);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#daemons.get(name)?.process.kill(signal);
  }

  async start(name: string): Promise<void> {
    const daemon = await until(`${name} is started`, () => this.#tryStart(name));
    this.#daemons.set(name, daemon);
    daemon.process.once('exit', (status, signal) => {
      void appendFile(join(this.farm.dir, `${name}.err`), `${daemon.stderr()}\n--- ended: ${status ?? signal}\n`);
      if (this.#daemons.get(name) !== daemon) return;
      this.#violations.add(`${name} ended by itself (${status ?? signal}): ${daemon.stderr().slice(-1_000)}`);
    });
  }

  async #tryStart(name: string): Promise<Daemon | undefined> {
    try {
      return await (name === 'master' ? this.farm.startMaster(this.#env) : this.farm.startWorker(name, this.#env));
    } catch (error) {
      // Somebody's outgoing connection was given our port while nobody listened there.
      if (String(error).includes('in use by another program')) return undefined;
      throw error;
    }
  }

  async reload(): Promise<void> {
    this.#generation += 1;
    await this.#writeConfig();
    const ran = await trunkline(['master', 'reload', this.farm.masterDir]);
    if (ran.status !== 0) this.#violations.add(`reload ended with ${ran.status}: ${ran.stderr}`);
  }

  /** As a person does it, from another terminal. */
  async stopOrderly(name: string): Promise<void> {
    const daemon = this.#daemons.get(name);
    this.#daemons.delete(name);
    const words =
      name === 'master' ? ['master', 'stop', this.farm.masterDir] : ['worker', 'stop', this.farm.workerDir(name)];
    const ran = await trunkline(words);
    if (ran.status !== 0) this.#violations.add(`${words.join(' ')} ended with ${ran.status}: ${ran.stderr}`);
    await until(`${name} has ended`, () => daemon?.process.exitCode !== null || daemon.process.signalCode !== null);
  }

  async #writeConfig(): Promise<void> {
    await this.farm.config(farmConfig(this.ledger.dir, this.ledger.witness, this.#generation));
  }

  /** The keepers of a worker: there may be more than one. */
  keepers(worker: string): Promise<readonly number[]> {
    return keepersOf(join(this.farm.workerDir(worker), 'spool'));
  }

  async killKeepers(worker: string): Promise<void> {
    const pids = new Set(await this.keepers(worker));
    const held = await this.#heldBy(worker, pids);
    for (const pid of pids) {
      this.killedKeepers.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    await until('the keepers are gone', async () => !(await this.keepers(worker)).some((pid) => pids.has(pid)));
    const left = await this.#heldBy(worker, pids);
    for (const command of [...held, ...left]) this.orphans.add(command);
    const spool = join(this.farm.workerDir(worker), 'spool');
    for (const command of left) {
      if (await record(spool, command, 'exit')) continue;
      const end = (await record(spool, command, 'outcome')) as { readonly outcome: { status: string } } | undefined;
      // The daemon may have found out already.
      if (!end || end.outcome.status === 'unknown') this.lostCommands.add(command);
    }
  }

  async #heldBy(worker: string, keepers: ReadonlySet<number>): Promise<readonly string[]> {
    const spool = join(this.farm.workerDir(worker), 'spool');
    const held: string[] = [];
    const commands = (await readdir(spool)).filter((name) => !name.startsWith('.'));
    for (const command of commands) {
      const claim = (await record(spool, command, 'claim')) as
        { readonly keeper: { readonly pid: number } } | undefined;
      if (claim && keepers.has(claim.keeper.pid)) held.push(command);
    }
    return held;
  }

  /** What every daemon holds, when it has collected its garbage. */
  async measure(): Promise<DaemonMeasure[]> {
    const all = Array.from(this.#daemons, ([name, { process: child }]) => ({ daemon: name, pid: child.pid ?? 0 }));
    for (const name of WORKERS) {
      for (const pid of await this.keepers(name)) all.push({ daemon: `${name}'s keeper`, pid });
    }
    const measures: DaemonMeasure[] = [];
    for (const { daemon, pid } of all) {
      measures.push({ daemon, ...(await measure(join(this.farm.dir, 'measures'), pid)) });
    }
    return measures;
  }

  /** What lies about that should be gone when all builds are through: in spools, of transfers, of processes. */
  async leftovers(): Promise<string[]> {
    const left: string[] = [];
    const look = async (dir: string, isLeft: (name: string) => boolean): Promise<void> => {
      // Not made yet is empty.
      for (const name of await readdir(dir).catch(() => [])) if (isLeft(name)) left.push(join(dir, name));
    };
    for (const name of WORKERS) {
      const dir = this.farm.workerDir(name);
      await look(
        join(dir, 'spool'),
        (entry) => !/^(keeper-.*\.sock|\.keeper\.log|\.pipe-.*|\.sight\.json)$/.test(entry),
      );
      await look(join(dir, 'state', 'files'), () => true);
    }
    await look(join(this.farm.masterDir, 'state', 'files'), () => true);
    for (const pid of await readdir('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      // It may end while it is looked at.
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (WORKERS.some((name) => folder.startsWith(join(this.farm.workerDir(name), 'work'))))
        left.push(`process ${pid} in ${folder}`);
    }
    return left;
  }

  async close(keep: boolean): Promise<void> {
    for (const name of Array.from(this.#daemons.keys()).toReversed()) {
      this.signal(name, 'SIGCONT');
      await this.end(name, 'SIGTERM');
    }
    for (const relay of this.#relays.values()) await relay.close();
    if (!keep) return await this.farm.close();
    for (const name of WORKERS) for (const pid of await this.keepers(name)) process.kill(pid, 'SIGKILL');
  }
}

/** One of a command's files in a spool; undefined when it is not there, or not whole: its writer may have been killed. */
async function record(spool: string, command: string, name: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(spool, command, `${name}.json`), 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}
