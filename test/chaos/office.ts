import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildView, StepView } from '../../src/master/views/build.ts';
import type { StatusView } from '../../src/master/views/master.ts';
import { Changes } from './changes.ts';
import type { Counter } from './counter.ts';
import { Families } from './families.ts';
import { BRANCHES, KINDS } from './farm-config.ts';
import { commandOf, uidOf, wrongInLog } from './ledger.ts';
import type { Holds } from './holds.ts';
import type { Random } from './random.ts';
import type { Site } from './site.ts';
import type { Violations } from './violations.ts';

/** Running and waiting; the workers have eight seats. */
const AT_ONCE = 10;
const CHECKS_AT_ONCE = 2;
/** Of a look. */
const CHANGE_CHANCE = 0.3;
const LOOK_MS = 300;
/** Only a build that hangs needs so long when nothing is hurt any more; a stop may wait two minutes for a lost worker. */
const END_MS = 360_000;

interface Stop {
  readonly atMs: number;
  state: 'planned' | 'asked' | 'taken';
}

/** Asks for builds, stops some, and holds each that is through against what its commands noted themselves. */
export class Office {
  readonly #site: Site;
  readonly #counter: Counter;
  readonly #holds: Holds;
  readonly #random: Random;
  readonly #violations: Violations;
  readonly #stops = new Map<number, Stop | undefined>();
  /** Builds that are checked, or about to be. */
  readonly #taken = new Set<number>();
  readonly #queue: number[] = [];
  readonly changes: Changes;
  readonly families: Families;
  /** Requests that had their last build. */
  readonly #ended = new Set<number>();
  readonly results = new Map<string, number>();
  /** Result of each build, by what the ids of its commands begin with. */
  readonly #resultOf = new Map<string, BuildView['result']>();
  logs = 0;
  mismatches = 0;
  checked = 0;
  bytes = 0;
  #asked = 0;
  #unanswered = 0;
  #retried = 0;
  /** Builds that got an artifact of another one. */
  fetched = 0;
  /** Builds that waited for locks. */
  waited = 0;
  #isOver = false;

  constructor(site: Site, counter: Counter, holds: Holds, random: Random, violations: Violations) {
    this.#site = site;
    this.#counter = counter;
    this.#holds = holds;
    this.#random = random;
    this.#violations = violations;
    this.changes = new Changes(counter, violations);
    this.families = new Families(violations);
  }

  /** Until `isOver`, and then until all is through. */
  async run(isOver: () => boolean): Promise<void> {
    this.#isOver = false;
    const checkers = Array.from({ length: CHECKS_AT_ONCE }, () => this.#check());
    let endMs = Infinity;
    let newest = 0;
    for (; ; await sleep(LOOK_MS)) {
      const isLast = isOver();
      if (isLast && endMs === Infinity) endMs = performance.now() + END_MS;
      const status = await this.#counter.json<StatusView>('status');
      const builds = status && (await this.#counter.json<BuildView[]>('builds', '-n', '1'));
      if (status && builds) {
        newest = builds[0]?.id ?? 0;
        const running = new Set(status.running.map(({ id }) => id));
        for (let id = 1; id <= newest; id++) {
          if (!running.has(id) && !this.#taken.has(id)) this.#take(id);
        }
        const open = running.size + status.waiting.length;
        if (isLast && (await this.changes.areBuilt()) && open === 0 && this.checked === newest) break;
        if (!isLast && open < AT_ONCE) await this.#force();
        if (!isLast && this.#random.chance(CHANGE_CHANCE)) await this.changes.send(this.#random.pick(BRANCHES));
        for (const build of status.running) await this.#stop(build);
      }
      if (performance.now() > endMs) {
        const left = status?.running.map(({ id, builder, worker }) => `${id} (${builder} on ${worker})`).join(', ');
        this.#violations.add(`builds do not come to their end: ${left}; ${status?.waiting.length} wait`);
        break;
      }
    }
    this.#isOver = true;
    await Promise.all(checkers);
    for (const command of this.#site.lostCommands) {
      const result = this.#resultOf.get(uidOf(command)) ?? 'exception';
      if (!['exception', 'cancelled', 'retry'].includes(result ?? ''))
        this.#violations.add(`the keeper of ${command} was killed, and its build ended as ${result}`);
    }
    this.changes.close();
    this.families.close();
    const least = this.#asked + this.#retried + this.families.children + this.changes.builds;
    if (newest < least) this.#violations.add(`${least} builds were promised, ${newest} were run`);
    if (newest > least + this.#unanswered) this.#violations.add(`${newest} builds were run of ${least}`);
  }

  #take(id: number): void {
    this.#taken.add(id);
    this.#queue.push(id);
  }

  async #force(): Promise<void> {
    const kinds = Object.keys(KINDS).filter((name) => !KINDS[name]?.comesOf);
    // First each kind once.
    const kind = kinds[this.#asked] ?? this.#random.pick(kinds);
    // The reason stays with the request, however many builds that has.
    const reason = `request-${this.#asked + this.#unanswered}`;
    const ran = await this.#counter.ask('force', `chaos/${kind}`, '--reason', reason, '--json');
    if (ran.status === 0) this.#asked += 1;
    else this.#unanswered += 1;
  }

  async #stop({ id, builder }: BuildView): Promise<void> {
    if (!this.#stops.has(id)) {
      const [mustStop, atMs] = [builder === 'endless' || this.#random.chance(0.06), this.#random.between(0, 6_000)];
      this.#stops.set(id, mustStop ? { atMs: performance.now() + atMs, state: 'planned' } : undefined);
    }
    const stop = this.#stops.get(id);
    if (!stop || stop.state === 'taken' || performance.now() < stop.atMs) return;
    stop.state = 'asked';
    // What was answered is not asked again: it must not be forgotten. 69: it has ended meanwhile.
    const { status } = await this.#counter.ask('stop', String(id), '--reason', 'chaos');
    if (status === 0 || status === 69) stop.state = 'taken';
  }

  async #check(): Promise<void> {
    while (!this.#isOver) {
      const id = this.#queue.shift();
      const build = id === undefined ? undefined : await this.#counter.json<BuildView>('build', String(id));
      if (id === undefined || !build) {
        if (id !== undefined) this.#queue.push(id);
        await sleep(LOOK_MS);
      } else if (build.state === 'running') {
        this.#taken.delete(id);
      } else {
        await this.#judge(build);
        this.checked += 1;
      }
    }
  }

  async #judge(build: BuildView): Promise<void> {
    const { id, builder, request, result, steps, parent } = build;
    this.#holds.judge(build);
    this.changes.judge(build);
    this.families.judge(build);
    if (build.lockWaitMs > 0) this.waited += 1;
    const key = `${builder}: ${result}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
    const isStopped =
      result === 'cancelled' && [id, parent?.build].some((one) => this.#stops.get(one ?? 0)?.state !== undefined);
    const kind = KINDS[builder];
    if (result === 'retry') this.#retried += 1;
    else if (this.#ended.has(request))
      this.#violations.add(`request ${request} was built on after its end: build ${id}`);
    else this.#ended.add(request);
    const isRight =
      result === kind?.result ||
      isStopped ||
      (result === 'retry' && kind?.isRetried) ||
      (result === 'exception' && this.#hasLostKeeper(build)) ||
      this.families.hasBadChild(build);
    if (!isRight || (builder === 'endless' && result === 'cancelled' && !isStopped)) {
      this.#violations.add(`build ${id} (${builder} on ${build.worker}) ended as ${result}: ${JSON.stringify(build)}`);
    }
    const isWhole = result !== 'cancelled' && result !== 'exception' && result !== 'retry';
    const logs = steps.flatMap((step) => step.logs);
    if (isWhole && logs.length !== kind?.logs)
      this.#violations.add(`build ${id} (${builder}) has ${logs.length} logs of ${kind?.logs}`);
    for (const step of steps) {
      for (const log of step.logs) if (log.name !== 'exception') await this.#judgeLog(build, step, log, isWhole);
    }
    if (builder === 'files' && result === 'success') await this.#judgeFile(build);
    if (builder === 'keeps' && result === 'success') await this.#judgeKept(build);
  }

  /** Only what a killed keeper ran may be an exception. */
  #hasLostKeeper({ steps }: BuildView): boolean {
    return steps.some(({ summary }) => {
      const pid = /keeper process (\d+)/.exec(summary ?? '')?.[1];
      return pid !== undefined && this.#site.killedKeepers.has(Number(pid));
    });
  }

  async #judgeLog(build: BuildView, step: StepView, log: StepView['logs'][number], isWhole: boolean): Promise<void> {
    const words = ['log', '--raw', '--log', log.name, String(build.id), step.name];
    let stored = await this.#counter.ask(...words);
    // Stock ssh tells a shared connection's status before it has passed on all bytes: they are gone if the connection goes then.
    if (stored.status === 0 && stored.stdout.length < log.length) stored = await this.#counter.ask(...words);
    // The master is away; only what it says itself is an answer.
    while (stored.status === 255 || stored.status === null) {
      await sleep(LOOK_MS);
      stored = await this.#counter.ask(...words);
    }
    this.logs += 1;
    this.bytes += stored.stdout.length;
    const command = commandOf(stored.stdout);
    if (command !== undefined) this.#resultOf.set(uidOf(command), build.result);
    const wrong = stored.status === 0 ? await this.#wrong(build, stored.stdout, log, isWhole) : stored.stderr;
    if (wrong === undefined) return;
    this.mismatches += 1;
    this.#violations.add(
      `build ${build.id} (${build.builder}: ${build.result}), log ${step.name}/${log.name}: ${wrong}`,
    );
  }

  async #wrong(
    build: BuildView,
    stored: Buffer,
    log: StepView['logs'][number],
    isWhole: boolean,
  ): Promise<string | undefined> {
    // One that has reached its limit is shorter than what was printed.
    if (log.length !== stored.length && build.builder !== 'capped')
      return `${stored.length} bytes were read of ${log.length}`;
    if (isWhole && !log.isComplete) return 'it is not complete';
    if (log.name === 'silent') return stored.length === 0 ? undefined : stored.subarray(0, 200).toString();
    return await wrongInLog(this.#site.ledger, stored, {
      mayBeCut: !isWhole,
      mayBeMarked: (command) => this.#site.orphans.has(command),
    });
  }

  async #judgeKept({ id, properties }: BuildView): Promise<void> {
    const { payload } = this.#site;
    const sent = `${payload.length} ${createHash('sha256').update(payload).digest('hex')}`;
    const told = new Map(properties.map(({ name, value }) => [name, typeof value === 'string' ? value : '']));
    const fetched = told.get('fetched') ?? '';
    if (told.get('kept') !== sent) this.#violations.add(`build ${id} kept ${told.get('kept')} instead of ${sent}`);
    if (fetched === sent) this.fetched += 1;
    else if (!fetched.includes('no good build')) this.#violations.add(`build ${id} fetched "${fetched}"`);
    const given = await this.#counter.ask('artifact', 'get', String(id), 'in/kept.bin');
    // The master may be away.
    if (given.status === 0 && !given.stdout.equals(payload))
      this.#violations.add(`the artifact of build ${id} is not what was kept: ${given.stdout.length} bytes`);
  }

  async #judgeFile({ id, properties }: BuildView): Promise<void> {
    const twice = Buffer.concat([this.#site.payload, this.#site.payload]);
    const sent = `${twice.length} ${createHash('sha256').update(twice).digest('hex')}`;
    const told = properties.find(({ name }) => name === 'uploaded')?.value;
    const file = join(this.#site.farm.masterDir, 'out', `${id}.bin`);
    if (told === sent && (await readFile(file)).equals(twice)) return;
    this.mismatches += 1;
    this.#violations.add(`build ${id}: ${file} is not what was sent: ${JSON.stringify(told)} instead of "${sent}"`);
  }
}
