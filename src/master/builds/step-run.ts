import { rm } from 'node:fs/promises';
import { errorText } from '../../base/errors.ts';
import type { FollowArgs, LinkArgs } from '../../config/calls.ts';
import type { CheckFacts } from '../../config/function-facts.ts';
import type { BuildFacts, Feed, StepAnswer, StepCall, StepReport } from '../../config/code-host.ts';
import type { BuildEnv } from '../../store/build-env-store.ts';
import type { Build } from '../../model/build.ts';
import type { CommandRecord } from '../../model/command.ts';
import { isSecretRef } from '../../model/secret.ts';
import type { Json } from '../../model/json.ts';
import type { Log } from '../../model/log.ts';
import type { Seat } from '../../model/worker.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { captureLost, runAnswer, workersFault } from './answer-of.ts';
import type { BuildSecrets } from '../secrets/build-secrets.ts';
import { SecretError } from '../secrets/secret-error.ts';
import type { BuildTools } from './build-tools.ts';
import { findArtifact } from './calls/artifacts.ts';
import { endOfFileCall, isFetched } from './calls/files.ts';
import type { ForcedEnd } from './forced-end.ts';
import { followCommand } from './calls/follow.ts';
import { feedLog } from './calls/feed-log.ts';
import { recordOfLog, writeLog } from './calls/log.ts';
import { Journal, commandId, exception } from './journal.ts';
import type { Performed } from './journal.ts';
import { removeFetched } from '../files/fetched-file.ts';
import { rebootMachine, untilBooted } from './reboot.ts';
import { readTail, writeLine } from './step-log.ts';
import { doRequest } from './calls/http.ts';
import { builtRevision, takeTestResults } from './calls/test-results.ts';
import { triggerBuilds } from './trigger.ts';
import { isUnfinishedOnWorker, workerCommand } from './worker-command.ts';
import type { WorkerCall } from './worker-command.ts';

export interface StepRunOptions {
  readonly tools: BuildTools;
  readonly build: Build;
  readonly seat: Seat;
  readonly step: { readonly index: number; readonly name: string };
  /** So long the worker may hold a command out of sight; absent: for ever. */
  readonly leaseMs: number | undefined;
  readonly facts: BuildFacts;
  /** Where the builder's is a function's. */
  readonly env?: BuildEnv | undefined;
  readonly secrets: BuildSecrets;
  /** It is no step, but asks whether the build may start. */
  readonly check?: CheckFacts;
  /** Of this step. */
  readonly records: readonly CommandRecord[];
  /** A property was set, and is stored. */
  readonly onProperty: (name: string, value: Json) => void;
  /** Called before each new record of the step, in the same turn, so that one commit takes what is written then too. */
  readonly onRecord: () => void;
}

/** The record of a call was just made, with its log. */
type Fresh = { readonly log: Log | undefined } | undefined;

/** Time that a worker has, beyond the command's own kill delay, to tell that an interrupted command has ended. */
const STOP_LIMIT_MS = 90_000;
const KILL_AFTER_MS = 10_000;
/** For the branches that a step has left behind. */
const OVER: ForcedEnd = { result: 'cancelled', summary: 'its step has ended' };
/** Record and log of what the step's code threw. */
const DETAIL = 'exception';
/**
 * What these are given is stored or looked up in a place of its own, by the words that are stored. Others do what they are told with the
 * words of the step's function, and their records and logs go without secrets.
 */
const KEPT: readonly StepCall['kind'][] = ['setProperty', 'link', 'describe', 'trigger', 'artifact'];

/**
 * One run of one step: its function in the thread of user code, its calls in the journal, its commands on the worker.
 *
 * `running` → (`interrupt`) → `interrupted`: what runs on the worker is told to end, and no new call is begun
 * → (`endNow`, or the worker does not answer in time) → `abandoned`: nothing is waited for any more.
 * `detach` leaves from any of them: the master stops, and what runs goes on without it.
 */
export class StepRun {
  readonly #options: StepRunOptions;
  readonly #journal: Journal;
  /** Commands on the worker whose outcome is not here. */
  readonly #commands = new Map<string, { readonly killAfterMs: number }>();
  /** Commands that an earlier run of the master began, and that the function has not come to again. */
  readonly #inherited: Set<string>;
  /** Commands that fetch a file for a later call of the step. */
  readonly #fetched = new Set<string>();
  /** Aborts the wait for the worker. */
  readonly #waits = new AbortController();
  /** Aborts the wait for what is no command, when the step is stopped or over. */
  readonly #asides = new AbortController();
  /** Aborts the function. */
  readonly #function = new AbortController();
  #forced: ForcedEnd | undefined;
  /** The function has returned. */
  #isOver = false;
  #isDetached = false;
  #failure: Error | undefined;
  #cancelLimit: (() => void) | undefined;

  constructor(options: StepRunOptions) {
    this.#options = options;
    const { tools, build, step, records, onRecord, secrets } = options;
    const { commands } = tools.store;
    this.#inherited = new Set(records.filter(isUnfinishedOnWorker).map((record) => record.id));
    this.#journal = new Journal({
      commands: {
        start(...record) {
          onRecord();
          return commands.start(...record);
        },
        finish: (...answer) => commands.finish(...answer),
      },
      together: (begin) => tools.store.together(begin),
      clock: tools.clock,
      redact: (value) => secrets.value(value),
      build,
      step: step.index,
      records: records.filter((record) => record.kind !== DETAIL),
    });
  }

  /** Resolves with the step's end, or undefined when the master detached from it. Rejects when the store failed. */
  async run(): Promise<StepReport | undefined> {
    const { tools, build, step, facts, env, check, secrets } = this.#options;
    const { configHash, project, builder } = build;
    const { signal } = this.#function;
    const told: StepReport = signal.aborted
      ? { result: 'cancelled' }
      : await tools.codeHost.runStep(
          {
            configHash,
            project,
            builder,
            step: step.index,
            build: facts,
            ...(env && { env }),
            ...(check && { check }),
          },
          (call, attempt, feed) => this.#answer(KEPT.includes(call.kind) ? secrets.value(call) : call, attempt, feed),
          signal,
        );
    const report = secrets.value(told);
    this.#isOver = true;
    // Branches may have been left behind by one that failed: the step is not over while they run.
    if (!this.#isDetached && !this.#failure) {
      this.#asides.abort();
      this.#interruptAll(this.#end()?.summary ?? '');
    }
    await this.#journal.settled();
    this.#cancelLimit?.();
    this.#journal.close();
    if (this.#isDetached) return undefined;
    if (this.#failure) throw this.#failure;
    await removeFetched(tools.folders.filesDir, this.#fetched);
    for (const command of this.#inherited) tools.desk.forget(command);
    if (this.#forced) return this.#forced;
    if (report.detail !== undefined) await this.#writeDetail(report.detail);
    return report;
  }

  /** Ends it in bounded time, with this result. */
  interrupt(end: ForcedEnd): void {
    if (this.#forced?.result === 'retry') this.#forced = end;
    this.#forced ??= end;
    this.#asides.abort();
    // What is to be done again elsewhere must have ended here.
    if (this.#forced.result !== 'retry' && !this.#options.tools.desk.connected().has(this.#options.build.worker))
      return this.#abandon();
    const { summary } = this.#forced;
    if (this.#commands.size === 0 && this.#inherited.size === 0) this.#function.abort(new Error(summary));
    this.#interruptAll(summary);
  }

  /** Ends it now, with this result: its worker is not waited for. */
  endNow(end: ForcedEnd): void {
    this.#forced ??= end;
    this.#abandon();
  }

  /** The worker is away or silent: nothing of it is waited for. Its commands are forgotten when it comes back. */
  #abandon(): void {
    const { desk } = this.#options.tools;
    const abandoned = [...this.#commands.keys()];
    this.#waits.abort(new Error('the worker is not waited for'));
    this.#function.abort(new Error('the worker is not waited for'));
    for (const command of abandoned) desk.forget(command);
  }

  /** Lets go of it: nothing is ended, nothing more is stored. */
  detach(): void {
    this.#isDetached = true;
    this.#waits.abort(new Error('the master stops'));
    this.#function.abort(new Error('the master stops'));
  }

  /** With what nothing new is begun on the worker. */
  #end(): ForcedEnd | undefined {
    return this.#forced ?? (this.#isOver ? OVER : undefined);
  }

  /** What an exception of the configuration's code printed becomes a log of the step. */
  async #writeDetail(detail: string): Promise<void> {
    const { tools, build, step, records } = this.#options;
    // A master that ended right after this wrote it already.
    if (records.some((record) => record.kind === DETAIL)) return;
    const { commands, logs } = tools.store;
    const id = commandId(build.uid, step.index, DETAIL);
    const record = { id, buildId: build.id, step: step.index, key: DETAIL, kind: DETAIL, call: null };
    const log = await commands.start(record, { name: DETAIL });
    if (log) await writeLine(logs, log.id, detail, tools.clock.now());
    await commands.finish(id, null);
  }

  #interruptAll(reason: string): void {
    const { desk, clock } = this.#options.tools;
    let killAfterMs = 0;
    for (const [command, known] of this.#commands) {
      desk.interrupt(command, reason);
      killAfterMs = Math.max(killAfterMs, known.killAfterMs);
    }
    if (this.#forced?.result !== 'retry' && (this.#commands.size > 0 || this.#inherited.size > 0)) {
      this.#cancelLimit ??= clock.after(STOP_LIMIT_MS + killAfterMs, () => this.#abandon());
    }
  }

  async #answer(call: StepCall, attempt: number, feed: Feed): Promise<StepAnswer> {
    // What was begun before the stop is answered as ever, so that the function comes to where it was.
    if (this.#forced && !this.#journal.has(call.key)) return { end: this.#forced };
    try {
      return await this.#dispatch(call, attempt, feed);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(errorText(error));
      // Given up on purpose, or the store failed: then what runs is left alone, for the next run of this step.
      if (!this.#waits.signal.aborted) {
        this.#failure = failure;
        this.#waits.abort(failure);
      }
      this.#function.abort(failure);
      return { end: { result: 'exception', summary: failure.message } };
    }
  }

  async #dispatch(call: StepCall, attempt: number, feed: Feed): Promise<StepAnswer> {
    const { clock } = this.#options.tools;
    switch (call.kind) {
      case 'run':
        return await this.#forgetting(
          call.key,
          this.#journal.answer(
            call,
            attempt,
            (id, fresh) => this.#run(call, id, fresh),
            call.args.log,
            call.args.isObserved ? (command, done) => this.#observe(command, done, feed) : undefined,
          ),
        );
      case 'follow':
        return await this.#forgetting(
          call.key,
          this.#journal.answer(call, attempt, (id, fresh) => this.#follow(call.args, id, fresh), call.args.log),
        );
      case 'boot':
        return await this.#journal.answer(call, attempt, () => this.#boot());
      case 'reboot':
        return await this.#forgetting(
          call.key,
          this.#journal.answer(call, attempt, (id, fresh) => this.#reboot(call, id, fresh), call.args.log),
        );
      case 'artifact':
        return await this.#journal.answer(call, attempt, async () => {
          const { tools, build } = this.#options;
          return { answer: await findArtifact(tools, build, call.args) };
        });
      case 'http':
        return await this.#journal.answer(call, attempt, (id, fresh) => this.#http(call, id, fresh), call.args.log);
      case 'testResults':
        return await this.#journal.answer(call, attempt, (id) => this.#testResults(call, id));
      case 'trigger':
        return await this.#journal.answer(call, attempt, () => this.#trigger(call));
      case 'log':
        return await this.#journal.answer(
          { ...call, args: recordOfLog(call.args) },
          attempt,
          (id) => writeLog(this.#options.tools, this.#options.secrets, id, call.args),
          this.#options.secrets.text(call.args.log),
        );
      case 'link':
        return await this.#journal.answer(call, attempt, () => this.#link(call.args));
      case 'setProperty':
        return await this.#journal.answer(call, attempt, () => this.#setProperty(call.args));
      case 'describe':
        return await this.#journal.answer(call, attempt, () => this.#describe(call.args.text));
      case 'now':
        return await this.#journal.answer(call, attempt, () =>
          Promise.resolve<Performed>({ answer: { ok: clock.now() } }),
        );
      case 'random':
        return await this.#journal.answer(call, attempt, () =>
          Promise.resolve<Performed>({ answer: { ok: Math.random() } }),
        );
      case 'once':
        return await this.#journal.once(call, attempt, call.args.isIdempotent);
      case 'once.done': {
        const { args } = call;
        const answer = 'error' in args ? { error: args.error } : { ok: { isDone: true, value: args.value } };
        return await this.#journal.onceDone(call.key, attempt, answer);
      }
      default:
        if (isFetched(call)) {
          this.#fetched.add(commandId(this.#options.build.uid, this.#options.step.index, call.key));
        }
        return await this.#forgetting(
          call.key,
          this.#journal.answer(call, attempt, (id, fresh) => this.#file(call, id, fresh)),
        );
    }
  }

  /** The answer is stored: the worker may forget the command (or had been told so before this run of the master). */
  async #forgetting(key: string, answered: Promise<StepAnswer>): Promise<StepAnswer> {
    const answer = await answered;
    const { tools, build, step } = this.#options;
    tools.desk.forget(commandId(build.uid, step.index, key));
    return answer;
  }

  async #run(call: Extract<WorkerCall, { readonly kind: 'run' }>, id: string, fresh: Fresh): Promise<Performed> {
    const { capture } = call.args;
    return await this.#logged(id, fresh, async (log) => {
      const outcome = await this.#onWorker(call, id, fresh, { logId: log?.id });
      if (!('status' in outcome)) return outcome;
      await this.#tellRefusal(outcome, log);
      const { tools, build } = this.#options;
      const isWanted = log && capture !== undefined && outcome.cut !== 'lost';
      const captured = isWanted ? await readTail(tools.store.logs, log.id, capture, outcome.markBytes) : undefined;
      const lost = capture === undefined ? undefined : captureLost(outcome);
      return this.#cancelled(outcome) ?? lost ?? runAnswer(outcome, captured, build.worker);
    });
  }

  async #follow(args: FollowArgs, id: string, fresh: Fresh): Promise<Performed> {
    return await this.#logged(id, fresh, async (log) => {
      const outcome = await this.#onWorker({ kind: 'run', args: followCommand(args) }, id, fresh, { logId: log?.id });
      if (!('status' in outcome)) return outcome;
      await this.#tellRefusal(outcome, log);
      return this.#cancelled(outcome) ?? { ok: null };
    });
  }

  async #observe(command: string, done: Promise<void>, feed: Feed): Promise<void> {
    const signal = AbortSignal.any([this.#waits.signal, this.#asides.signal]);
    await feedLog(this.#options.tools, { command, done, feed, signal });
  }

  /** Names the boot that a `reboot` is to end. */
  async #boot(): Promise<Performed> {
    const { tools, build } = this.#options;
    const answer = await this.#unlessEnded(async (signal) => ({
      ok: await untilBooted(tools.desk, build.worker, undefined, signal),
    }));
    return { answer };
  }

  async #trigger({ key, args }: Extract<StepCall, { readonly kind: 'trigger' }>): Promise<Performed> {
    const { tools, build, step } = this.#options;
    const named = `${step.index}.${key}`;
    return { answer: await this.#unlessEnded((signal) => triggerBuilds(tools, build, named, args, signal)) };
  }

  async #http({ args }: Extract<StepCall, { readonly kind: 'http' }>, id: string, fresh: Fresh): Promise<Performed> {
    const { tools, secrets } = this.#options;
    return await this.#logged(id, fresh, (log) =>
      this.#unlessEnded((signal) => doRequest(tools, secrets, args, log, fresh !== undefined, signal)),
    );
  }

  async #testResults({ args }: Extract<StepCall, { readonly kind: 'testResults' }>, id: string): Promise<Performed> {
    const { tools, build, step, facts, secrets } = this.#options;
    const redact = <T>(value: T): T => secrets.value(value);
    const caller = { build, step, command: id, revision: builtRevision(build, facts), redact };
    let done: Performed | undefined;
    const answer = await this.#unlessEnded(async (signal) => {
      try {
        await secrets.recall();
      } catch (error) {
        if (error instanceof SecretError) return exception(error.message);
        throw error;
      }
      done = await takeTestResults(tools, caller, args, signal);
      return done.answer;
    });
    return { ...done, answer };
  }

  async #reboot(call: Extract<StepCall, { readonly kind: 'reboot' }>, id: string, fresh: Fresh): Promise<Performed> {
    const { tools, build } = this.#options;
    const { desk, clock } = tools;
    const { args } = call;
    return await this.#logged(id, fresh, (log) => {
      const run = async (limit: AbortSignal): Promise<Outcome | StepAnswer> => {
        const signal = AbortSignal.any([this.#waits.signal, limit]);
        const order = { logId: log?.id, bootId: args.bootId, signal };
        const outcome = await this.#onWorker({ kind: 'run', args }, id, fresh, order);
        if (!('status' in outcome)) return outcome;
        await this.#tellRefusal(outcome, log);
        return this.#cancelled(outcome) ?? workersFault(outcome, build.worker) ?? outcome;
      };
      return this.#unlessEnded((signal) => rebootMachine({ desk, clock, worker: build.worker, args, run, signal }));
    });
  }

  /** Waits for what is no command of the worker's, and so not ended by an interrupt. */
  async #unlessEnded(wait: (signal: AbortSignal) => Promise<StepAnswer>): Promise<StepAnswer> {
    try {
      return await wait(AbortSignal.any([this.#waits.signal, this.#asides.signal]));
    } catch (error) {
      const end = this.#end();
      if (this.#waits.signal.aborted || !end) throw error;
      return { end };
    }
  }

  /** Does what fills the call's log, which is complete with its answer. */
  async #logged(id: string, fresh: Fresh, work: (log: Log | undefined) => Promise<StepAnswer>): Promise<Performed> {
    const { store, clock } = this.#options.tools;
    const log = fresh ? fresh.log : await store.logs.findByCommand(id);
    const answer = await work(log);
    return { answer, ...(log && { also: () => store.logs.complete(log.id, clock.now()) }) };
  }

  async #tellRefusal({ status, message }: Outcome, log: Log | undefined): Promise<void> {
    if (!log || status !== 'refused') return;
    const { tools, secrets } = this.#options;
    const text = secrets.text(message ?? 'the worker refused the command');
    await writeLine(tools.store.logs, log.id, `trunkline: ${text}`, tools.clock.now());
  }

  async #file(call: Exclude<WorkerCall, { readonly kind: 'run' }>, id: string, fresh: Fresh): Promise<Performed> {
    const outcome = await this.#onWorker(call, id, fresh);
    if (!('status' in outcome)) return { answer: outcome };
    // The hash of a secret is as good as a short one.
    if (call.kind === 'put' && isSecretRef(call.args.source) && outcome.status === 'done')
      return { answer: { ok: {} } };
    const cancelled = this.#cancelled(outcome);
    return cancelled ? { answer: cancelled } : await endOfFileCall(call, id, outcome, this.#options);
  }

  #cancelled(outcome: Outcome): StepAnswer | undefined {
    return this.#forced && outcome.ended === 'interrupt' ? { end: this.#forced } : undefined;
  }

  /** Has a command done. An answer instead of an outcome: it cannot even be asked of a worker. */
  async #onWorker(
    call: WorkerCall,
    id: string,
    fresh: Fresh,
    order: { readonly logId?: number | undefined; readonly bootId?: string; readonly signal?: AbortSignal } = {},
  ): Promise<Outcome | StepAnswer> {
    const { tools, seat, leaseMs, secrets } = this.#options;
    const { logId, bootId, signal = this.#waits.signal } = order;
    // Let go of while its record was made: that is left as it is, for the next run of this step.
    if (this.#isDetached || this.#failure) this.#waits.signal.throwIfAborted();
    const end = this.#end();
    if (end && fresh) return { end };
    let command;
    try {
      command = await workerCommand(call, id, tools.folders, secrets);
    } catch (error) {
      if (error instanceof SecretError) return exception(error.message);
      return { error: `${call.kind}: ${errorText(error)}` };
    }
    const { spec, logMaxBytes, file, masks } = command;
    // Given up meanwhile: what an earlier run of the master began stays among the inherited, and is forgotten with them.
    this.#waits.signal.throwIfAborted();
    this.#inherited.delete(id);
    this.#commands.set(id, { killAfterMs: spec.killAfterMs ?? KILL_AFTER_MS });
    try {
      const done = tools.desk.run(
        {
          command: id,
          seat,
          spec,
          ...(leaseMs !== undefined && spec.kind === 'run' && { leaseMs }),
          ...(logId !== undefined && { logId }),
          ...(logMaxBytes !== undefined && { logMaxBytes }),
          ...(bootId !== undefined && { bootId }),
          ...(masks && { masks }),
          ...(file !== undefined && { file }),
        },
        signal,
      );
      const endNow = this.#end();
      if (endNow) this.#interruptAll(endNow.summary);
      return await done;
    } finally {
      this.#commands.delete(id);
      // A run that goes on later needs it again.
      if (command.isTemporary && !this.#isDetached && !this.#failure) await rm(command.file ?? '', { force: true });
    }
  }

  async #link(args: LinkArgs): Promise<Performed> {
    const { tools, build, step } = this.#options;
    await tools.store.stepLinks.put(build.id, { step: step.index, ...args });
    tools.bus.publish('builds', build.id);
    return { answer: { ok: null } };
  }

  async #describe(text: string): Promise<Performed> {
    const { tools, build, step } = this.#options;
    await tools.store.builds.describeStep(build.id, step.index, text);
    // Somebody may be looking at it.
    tools.bus.publish('builds', build.id);
    return { answer: { ok: null } };
  }

  async #setProperty(args: { readonly name: string; readonly value: Json }): Promise<Performed> {
    const { tools, build, step, onProperty } = this.#options;
    const { name, value } = args;
    await tools.store.builds.setProperty(build.id, { name, value, source: step.name });
    onProperty(name, value);
    return { answer: { ok: null } };
  }
}
