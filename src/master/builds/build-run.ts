import type { Cancel } from '../../base/clock.ts';
import type { BuildFacts, StepReport } from '../../config/code-host.ts';
import type { BuilderShape, ConfigShape, StepShape } from '../../config/shape.ts';
import type { Build, Step } from '../../model/build.ts';
import { leaseOf } from '../../model/lost-worker.ts';
import { BEGUN, withStep, worse } from '../../model/result.ts';
import type { Result, StepRules } from '../../model/result.ts';
import type { Seat } from '../../model/worker.ts';
import { workerLost, workerRetired } from './forced-end.ts';
import type { ForcedEnd } from './forced-end.ts';
import { initialProperties, propertiesBefore } from './initial-properties.ts';
import { LostWatch } from './lost-watch.ts';
import type { Away } from './lost-watch.ts';
import type { BuildSecrets } from '../secrets/build-secrets.ts';
import { openBuildSecrets } from './open-build-secrets.ts';
import type { BuildTools } from './build-tools.ts';
import type { BuildEnv } from '../../store/build-env-store.ts';
import type { OwnEnv } from './own-env.ts';
import { StepRun } from './step-run.ts';
import { WaitForLocks } from './wait-for-locks.ts';
import { isUnfinishedOnWorker } from './worker-command.ts';
import { faultForAll, faultIn } from './workers-fault.ts';

/** After a stop, steps that always run may clean up for so long. */
const CLEANUP_LIMIT_MS = 5 * 60_000;
/** The begin of a step waits so long for the step's first record, so that one commit takes both. */
const FIRST_RECORD_MS = 5;
/** Where something is to be cleaned up, a worker that is away may take so long to come back: twice its longest pause. */
const RETURN_LIMIT_MS = 60_000;

export interface BuildRunOptions {
  readonly tools: BuildTools;
  readonly build: Build;
  /** The one that the build keeps; undefined when it cannot be loaded. */
  readonly config: ConfigShape | undefined;
  /** Of that configuration; undefined when it has none (then the build cannot go on). */
  readonly builder: BuilderShape | undefined;
  /** What its builder's function says of its environment, or why it cannot go on; undefined: there is none. */
  readonly env: OwnEnv | undefined;
  /** Something of it changed in the store. */
  readonly onProgress: () => void;
}

/**
 * One running build: its steps in their order, each from its record when the master had begun it before.
 *
 * `running` → (`stop`) → `stopping`: the step under way is interrupted, steps that always run may still clean up
 * → `finished`, in the store. A second stop, a worker that stays away, or the limit for cleaning up ends also those.
 * `endNow` ends it from any of them without its worker: that one is not to work for this master any more, or is lost.
 * `detach`: the master stops; the build stays `running` in the store and is adopted at the next start.
 */
export class BuildRun {
  readonly #options: BuildRunOptions;
  #current: { readonly run: StepRun | WaitForLocks; readonly rules: StepRules } | undefined;
  readonly #watch: LostWatch;
  /** Why its steps are not gone on with. */
  #forced: ForcedEnd | undefined;
  /** Nothing more is run, not even what always runs. */
  #isCutShort = false;
  #isRetired = false;
  #isDetached = false;
  #cancelLimit: Cancel | undefined;
  #cancelReturn: Cancel | undefined;
  /** Index of the step under way, or of the next one. */
  #at = 0;
  #written: Promise<unknown> = Promise.resolve();
  /** Writes the end of the step that ended last. */
  #endStep: (() => Promise<void>) | undefined;

  constructor(options: BuildRunOptions) {
    this.#options = options;
    const { tools, build, builder } = options;
    const { worker, stopReason } = build;
    if (stopReason !== undefined) this.#forced = stopped(stopReason);
    this.#watch = new LostWatch({
      clock: tools.clock,
      desk: tools.desk,
      worker,
      rule: builder?.whenWorkerLost ?? 'wait',
      lost: (graceMs) => this.endNow(workerLost(worker, graceMs)),
    });
  }

  /** Resolves true when the build is finished in the store, false when it was detached. Rejects when the store failed. */
  async run(): Promise<boolean> {
    const { tools, build } = this.#options;
    const offChange = tools.desk.onChange((worker) => {
      if (worker !== build.worker) return;
      if (this.#isRetired) this.retire();
      this.#onWorkerChange();
      this.#watch.look();
    });
    try {
      this.#watch.look();
      if (this.#forced) this.#onStopping(this.#forced);
      const { result, summary } = await this.#runSteps();
      this.#writeEnd();
      await this.#written;
      if (this.#isDetached) return false;
      await this.#completeLogs();
      await this.#finish(result, summary);
      return true;
    } finally {
      offChange();
      this.#watch.close();
      this.#cancelLimit?.();
      this.#cancelReturn?.();
    }
  }

  /** With the end of the build, in one commit, goes what it says of its worker. */
  async #finish(result: Result, summary: string | undefined): Promise<void> {
    const { tools, build, config, builder } = this.#options;
    const { store, clock } = tools;
    const { id, project, worker } = build;
    const isExceptional = result === 'exception' || result === 'retry' || result === 'cancelled';
    const fault = result === 'exception' ? faultIn(await store.commands.list(id)) : undefined;
    const atMs = clock.now();
    const writes = (): Promise<unknown> =>
      Promise.all([
        store.builds.finish(id, result, summary, atMs, builder?.retry),
        fault === undefined
          ? !isExceptional && store.workers.noteNoFault(worker)
          : store.workers.noteFault(worker, faultForAll(fault, `build #${id}`, project, config), atMs),
      ]);
    await store.together(writes);
  }

  /** The reason is in the store already. */
  stop(reason: string): void {
    // What was to be retried is not, when somebody wants it stopped.
    if (this.#forced && this.#forced.result !== 'retry') this.#isCutShort = true;
    else this.#forced = stopped(reason);
    this.#onStopping(this.#forced);
  }

  /** Its worker is not to go on with it. What runs there is ended first: what is retried never runs twice at once. */
  retire(): void {
    const { tools, build, builder } = this.#options;
    this.#isRetired = true;
    if (this.#forced) return;
    const end = workerRetired(build.worker, builder?.whenWorkerLost ?? 'wait');
    if (tools.desk.connected().has(build.worker)) {
      this.#forced = end;
      this.#onStopping(end);
    } else if (end.result !== 'retry') this.endNow(end);
    // Otherwise it is retried when the worker counts as lost, and ended when that is back before.
  }

  /** Ends it now: its worker is not asked and not waited for. One that is stopping already ends as stopped. */
  endNow(end: ForcedEnd): void {
    this.#forced ??= end;
    this.#isCutShort = true;
    this.#current?.run.endNow(this.#forced);
  }

  /** Undefined while its worker is here. */
  away(): Away | undefined {
    return this.#watch.away();
  }

  detach(): void {
    this.#isDetached = true;
    this.#watch.close();
    this.#current?.run.detach();
  }

  #onStopping(end: ForcedEnd): void {
    const { clock } = this.#options.tools;
    this.#cancelLimit ??= clock.after(CLEANUP_LIMIT_MS, () => this.#cutShort(end));
    this.#onWorkerChange();
    this.#interruptCurrent(end);
  }

  #cutShort(end: ForcedEnd): void {
    this.#isCutShort = true;
    this.#interruptCurrent(end);
  }

  #interruptCurrent(end: ForcedEnd): void {
    if (this.#current && (this.#isCutShort || !this.#current.rules.alwaysRun)) this.#current.run.interrupt(end);
  }

  /**
   * A stopped build does not wait for a worker that is away, unless something is to be cleaned up there: a line that was cut,
   * or a master that was restarted, is back in a moment.
   */
  #onWorkerChange(): void {
    const { tools, build, builder } = this.#options;
    const end = this.#forced;
    if (!end) return;
    if (tools.desk.connected().has(build.worker)) {
      this.#cancelReturn?.();
      this.#cancelReturn = undefined;
    } else if (end.result === 'retry') {
      // What runs there may run on: it counts as ended when the worker says so, or is lost.
    } else if (builder?.steps.slice(this.#at).some(({ rules }) => rules.alwaysRun)) {
      this.#interruptCurrent(end);
      this.#cancelReturn ??= tools.clock.after(RETURN_LIMIT_MS, () => this.#cutShort(end));
    } else this.#cutShort(end);
  }

  async #runSteps(): Promise<{ readonly result: Result; readonly summary: string | undefined }> {
    const { tools, build, builder, env } = this.#options;
    if (!builder)
      return await this.#giveUp(`builder ${build.project}/${build.builder} is not in the configuration of this build`);
    if (env && 'error' in env) return await this.#giveUp(env.error);
    const [seat, read] = await Promise.all([tools.store.workers.seat(build.session), this.#readContext()]);
    if (!seat) return failed(`the build has lost its seat on ${build.worker}`);
    const context = { ...read, seat };
    tools.desk.openSeat(seat);

    let standing = BEGUN;
    let summary: string | undefined;
    for (const [index, shape] of builder.steps.entries()) {
      const { rules } = shape;
      const stored = context.steps[index];
      this.#at = index;
      let result = stored?.result;
      let told = stored?.summary;
      if (stored?.state !== 'finished' || result === undefined) {
        const mayRun = rules.alwaysRun ? !this.#isCutShort : !standing.isHalted && !this.#forced;
        if (this.#isDetached) break;
        if (!mayRun && stored?.state !== 'running') continue;
        const report = await this.#runStep(index, shape, stored, context);
        if (!report) break;
        result = report.result;
        told = report.summary;
      } else this.#forgetLeft(index, context);
      if (isWorthTelling(result)) summary ??= `${shape.name}: ${told ?? result}`;
      standing = withStep(standing, result, rules);
    }
    const { result } = standing;
    if (this.#forced) return { result: worse(result, this.#forced.result), summary: this.#forced.summary };
    return { result, summary };
  }

  /** A step may end without its commands, when the worker is away; a master that ended before it was back told it nothing. */
  #forgetLeft(step: number, { records }: Pick<StepContext, 'records'>): void {
    for (const record of records) {
      if (record.step === step && isUnfinishedOnWorker(record)) this.#options.tools.desk.forget(record.id);
    }
  }

  /** Nothing of it can be run any more. What it left on its worker ends there. */
  async #giveUp(why: string): Promise<{ readonly result: Result; readonly summary: string }> {
    const { tools, build } = this.#options;
    const { id } = build;
    const { result, summary } = this.#forced ?? failed(why);
    const { steps, records } = await this.#readContext();
    for (const record of records) if (record.state === 'started') tools.desk.forget(record.id);
    const { store, clock } = tools;
    for (const { index, state } of steps) {
      if (state === 'running') this.#write(store.builds.finishStep(id, index, result, summary, clock.now()));
    }
    return { result, summary };
  }

  /**
   * Steps begin and end in the store in their order, but the build does not stand still for each commit: the next record of
   * a command is committed after them, or with them. `#written` rejects when one of them failed.
   */
  #write(write: Promise<void>): void {
    this.#written = Promise.all([this.#written, write.then(this.#options.onProgress)]);
    this.#written.catch(() => undefined); // Whoever awaits it hears of it.
  }

  #writeEnd(): void {
    if (this.#endStep) this.#write(this.#endStep());
    this.#endStep = undefined;
  }

  async #readContext(): Promise<Omit<StepContext, 'seat'>> {
    const { tools, build, config, builder } = this.#options;
    const { store } = tools;
    const [steps, records, request] = await Promise.all([
      store.builds.steps(build.id),
      store.commands.list(build.id),
      store.requests.find(build.requestId),
    ]);
    const initial = request && config && builder ? initialProperties(request, build.worker, config, builder) : [];
    const secrets = await openBuildSecrets(tools, build, config, records);
    return { steps, records, initial, written: new Map(), secrets };
  }

  async #runStep(
    index: number,
    shape: StepShape,
    stored: Step | undefined,
    context: StepContext,
  ): Promise<StepReport | undefined> {
    const { tools, build } = this.#options;
    const { clock } = tools;
    const { id, uid, number, project, builder, worker, reason, owner, source } = build;
    const before = {
      ...propertiesBefore(index, context.initial, context.records),
      ...Object.fromEntries(context.written),
    };
    const isUntrusted = source.untrustedOf !== undefined;
    const facts: BuildFacts = {
      id,
      uid,
      number,
      project,
      builder,
      worker,
      reason,
      owner,
      source,
      isUntrusted,
      properties: before,
    };
    const begin = this.#beginning(index, stored);
    const waited = await this.#waitForLocks(index, shape, stored, begin);
    if (waited !== 'granted') return await this.#stepEnded(index, shape, waited);
    const cancelBegin = clock.after(FIRST_RECORD_MS, begin);
    const run = new StepRun({
      tools,
      build,
      seat: context.seat,
      step: { index, name: shape.name },
      leaseMs: leaseOf(this.#options.builder?.whenWorkerLost ?? 'wait'),
      facts,
      env: this.#env(),
      secrets: context.secrets,
      records: context.records.filter((record) => record.step === index),
      onProperty: (name, value) => context.written.set(name, value),
      onRecord: begin,
    });
    this.#setCurrent(run, shape.rules);
    const report = await run.run().finally(cancelBegin);
    begin();
    return await this.#stepEnded(index, shape, report);
  }

  #env(): BuildEnv | undefined {
    const { env } = this.#options;
    return env && 'env' in env ? env.env : undefined;
  }

  #setCurrent(run: StepRun | WaitForLocks, rules: StepRules): void {
    this.#current = { run, rules };
    if (this.#isDetached) run.detach();
    if (this.#forced) this.#interruptCurrent(this.#forced);
  }

  async #stepEnded(
    index: number,
    { locks, isHidden }: StepShape,
    report: StepReport | undefined,
  ): Promise<StepReport | undefined> {
    const { tools, build } = this.#options;
    const { store, clock, bus } = tools;
    this.#current = undefined;
    await this.#written;
    if (!report) return undefined;
    const endedAtMs = clock.now();
    this.#endStep = async () => {
      const words = { ...(isHidden && { isHidden }), ...report };
      await store.builds.finishStep(build.id, index, report.result, report.summary, endedAtMs, words);
      if (locks.length > 0) bus.publish('locks', build.id);
    };
    return report;
  }

  /** Its end when it is to end before it has them. One that had them in an earlier run of the master has them still. */
  async #waitForLocks(
    index: number,
    { locks: accesses, rules }: StepShape,
    stored: Step | undefined,
    begin: () => void,
  ): Promise<StepReport | 'granted' | undefined> {
    if (accesses.length === 0 || stored?.lockWaitMs !== undefined) return 'granted';
    const { tools, build } = this.#options;
    const { store, clock, bus } = tools;
    begin();
    const owner = { buildId: build.id, step: index };
    const wait = new WaitForLocks({ locks: store.locks, bus, clock, owner, accesses });
    this.#setCurrent(wait, rules);
    return await wait.run();
  }

  /** Writes once that the step before has ended and this one begins: in one turn, so that one commit takes both. */
  #beginning(index: number, stored: Step | undefined): () => void {
    const { tools, build } = this.#options;
    const { store, clock } = tools;
    const startedAtMs = clock.now();
    let hasBegun = false;
    return () => {
      if (hasBegun) return;
      hasBegun = true;
      this.#writeEnd();
      if (stored?.state !== 'running') this.#write(store.builds.startStep(build.id, index, startedAtMs));
    };
  }

  /** A step that was cut off may have left a log open: no more will come. */
  async #completeLogs(): Promise<void> {
    const { tools, build } = this.#options;
    const logs = await tools.store.logs.list(build.id);
    await Promise.all(
      logs.filter((log) => !log.isComplete).map((log) => tools.store.logs.complete(log.id, tools.clock.now())),
    );
  }
}

interface StepContext {
  readonly seat: Seat;
  readonly steps: readonly Step[];
  readonly records: Awaited<ReturnType<BuildTools['store']['commands']['list']>>;
  readonly initial: ReturnType<typeof initialProperties>;
  readonly secrets: BuildSecrets;
  /** Set by steps that ran in this run of the master. */
  readonly written: Map<string, BuildFacts['properties'][string]>;
}

function stopped(reason: string): ForcedEnd {
  return { result: 'cancelled', summary: reason };
}

function failed(summary: string): { readonly result: Result; readonly summary: string } {
  return { result: 'exception', summary };
}

function isWorthTelling(result: Result): boolean {
  return result !== 'success' && result !== 'skipped';
}
