import { CHECK_STEP } from '../../config/code-host.ts';
import type { StepReport } from '../../config/code-host.ts';
import { showDuration } from '../../config/duration.ts';
import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import { leaseOf } from '../../model/lost-worker.ts';
import { checkFacts } from './check-facts.ts';
import type { BuildTools } from './build-tools.ts';
import { workerRetired } from './forced-end.ts';
import type { ForcedEnd } from './forced-end.ts';
import { openBuildSecrets } from './open-build-secrets.ts';
import { StepRun } from './step-run.ts';
import { faultForAll, faultIn } from './workers-fault.ts';

export interface StartCheckOptions {
  readonly tools: BuildTools;
  readonly build: Build;
  /** Of the configuration that the build keeps. */
  readonly config: ConfigShape;
  readonly builder: BuilderShape;
  /**
   * The answer was no: for so long that request is not for that worker. It took so long to say. Called before the build is given
   * back.
   */
  readonly onNo: (text: string, forMs: number, tookMs: number) => void;
  /** The function did wrong. */
  readonly onFailed: (error: string) => void;
}

const NAME = 'canStartBuild';

/**
 * Asks a builder's `canStartBuild` whether a claimed build may start: its locks, slot and seat are taken, so that what the
 * function sees stays true. Its calls are in the journal as those of a step before the first, and a master that was killed
 * asks again from the record.
 *
 * `asking` → yes: the build gets its number and begins → no, an error, the deadline, a lost worker, a stop: it is given back
 * in one transaction, as if there had been none. `detach`: the master stops; the next start asks on.
 */
export class StartCheck {
  readonly #options: StartCheckOptions;
  #step: StepRun | undefined;
  #end: ForcedEnd | undefined;
  #isDetached = false;

  constructor(options: StartCheckOptions) {
    this.#options = options;
    const { stopReason } = options.build;
    if (stopReason !== undefined) this.#end = { result: 'cancelled', summary: stopReason };
  }

  /** Resolves with the build that may start, `given back`, or `detached`. Rejects when the store failed. */
  async run(): Promise<Build | 'given back' | 'detached'> {
    const { tools, build, builder } = this.#options;
    const { store, clock } = tools;
    const limits = builder.functions?.canStartBuild;
    const beganAtMs = clock.monotonic();
    const report = limits ? await this.#ask(limits.limitMs) : ({ result: 'success' } as const);
    if (!report) return 'detached';
    const text = this.#end ? undefined : noOf(report);
    if (!this.#end && text === undefined) {
      const passed = await store.builds.passCheck(build.id, clock.now());
      if (passed) return passed;
    }
    if (text !== undefined) {
      this.#options.onNo(text, limits?.recheckMs ?? 0, clock.monotonic() - beganAtMs);
      if (report.result !== 'skipped') this.#options.onFailed(report.summary ?? report.result);
    }
    const fault = report.result === 'exception' ? faultIn(await store.commands.list(build.id)) : undefined;
    await Promise.all([store.builds.giveBack(build.id, clock.now()), fault !== undefined && this.#noteFault(fault)]);
    return 'given back';
  }

  /** The reason is in the store already, and its request is cancelled for it. */
  stop(reason: string): void {
    this.#interrupt({ result: 'cancelled', summary: reason });
  }

  /** Its worker is given nothing any more. */
  retire(): void {
    this.#interrupt(workerRetired(this.#options.build.worker, 'wait'));
  }

  endNow(end: ForcedEnd): void {
    this.#end ??= end;
    this.#step?.endNow(end);
  }

  /** Its deadline is what counts. */
  away(): undefined {
    return undefined;
  }

  detach(): void {
    this.#isDetached = true;
    this.#step?.detach();
  }

  #interrupt(end: ForcedEnd): void {
    this.#end ??= end;
    this.#step?.interrupt(end);
  }

  async #noteFault(fault: string): Promise<void> {
    const { tools, build, config } = this.#options;
    const { requestId, project, worker } = build;
    const told = faultForAll(fault, `request ${requestId}`, project, config);
    await tools.store.workers.noteFault(worker, told, tools.clock.now());
  }

  async #ask(limitMs: number): Promise<StepReport | undefined> {
    const { tools, build, config, builder } = this.#options;
    const { store, clock, desk } = tools;
    const [seat, records, check] = await Promise.all([
      store.workers.seat(build.session),
      store.commands.list(build.id),
      checkFacts(store, build, config),
    ]);
    if (!seat) throw new Error(`the build has lost its seat on ${build.worker}`);
    desk.openSeat(seat);
    const { id, uid, number, project, builder: name, worker, reason, owner, source } = build;
    const { properties } = check.request;
    const isUntrusted = source.untrustedOf !== undefined;
    const step = new StepRun({
      tools,
      build,
      seat,
      step: { index: CHECK_STEP, name: NAME },
      leaseMs: leaseOf(builder.whenWorkerLost),
      facts: { id, uid, number, project, builder: name, worker, reason, owner, source, isUntrusted, properties },
      secrets: await openBuildSecrets(tools, build, config, records),
      check,
      records,
      onProperty: () => undefined,
      onRecord: () => undefined,
    });
    this.#step = step;
    if (this.#isDetached) step.detach();
    if (this.#end) step.interrupt(this.#end);
    const late = `it has not answered after ${showDuration(limitMs)}`;
    const cancelLimit = clock.after(limitMs, () => step.interrupt({ result: 'cancelled', summary: late }));
    return await step.run().finally(cancelLimit);
  }
}

/** Why not, for people; undefined: it may start. */
function noOf({ result, summary = '' }: StepReport): string | undefined {
  if (result === 'success') return undefined;
  if (result === 'skipped') return summary === '' ? `${NAME} says no` : `${NAME}: ${summary}`;
  return `${NAME} failed: ${summary === '' ? result : summary}`;
}
