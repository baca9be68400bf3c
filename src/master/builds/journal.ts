import type { Cancel, Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import type { CommandRecord } from '../../model/command.ts';
import type { Log } from '../../model/log.ts';
import type { StepAnswer } from '../../config/code-host.ts';
import type { CommandStore, Store } from '../../store/store.ts';
import { asStored, callText, canonical } from './same-call.ts';

/**
 * Does what a call asks, under the name of its record. `fresh`: the record was just made, with this log; without it an
 * earlier run of the master may have begun the work.
 */
type Perform = (command: string, fresh: { readonly log: Log | undefined } | undefined) => Promise<Performed>;

/** Goes on beside what the call asks and ends before its answer: `done` settles when that is recorded. Once an attempt. */
type Beside = (command: string, done: Promise<void>) => Promise<void>;

export interface Performed {
  readonly answer: StepAnswer;
  /** Another write, made in one commit with the record of the answer. */
  readonly also?: () => Promise<void>;
}

/** A call as it is recorded. */
export interface RecordedCall {
  readonly key: string;
  readonly kind: string;
  readonly args: object;
}

export interface JournalOptions {
  readonly commands: Pick<CommandStore, 'start' | 'finish'>;
  readonly together: Store['together'];
  readonly clock: Clock;
  readonly build: { readonly id: number; readonly uid: string };
  readonly step: number;
  /** Of this step, from the store. */
  readonly records: readonly CommandRecord[];
  /** What is stored goes through it. */
  readonly redact: <T>(value: T) => T;
  /** How long all calls may wait for one that the function does not make again, before that is told as a difference. */
  readonly divergedAfterMs?: number;
}

interface Entry {
  readonly id: string;
  readonly key: string;
  readonly kind: string;
  readonly call: string;
  answer?: StepAnswer;
  /** It is being done. */
  underWay?: Promise<void>;
}

const DIVERGED_AFTER_MS = 5 * 60_000;

/**
 * The durable record of one step's calls. A call is recorded before it is acted on, its answer before it is delivered; when
 * the function runs again its finished calls are answered from the record, in the order in which the answers were first
 * delivered, so that branches that run side by side meet again as they did. A call that differs from its record ends the
 * step as an exception that shows both.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #entries = new Map<string, Entry>();
  /** Keys in the order of their answers. */
  readonly #order: string[] = [];
  /** Calls of this attempt whose turn has not come, by key. */
  readonly #waiting = new Map<string, Deferred<void>>();
  /** What goes on beside calls, by their keys. */
  readonly #besides = new Map<string, Promise<unknown>>();
  #attempt = 0;
  /** How many of `#order` this attempt has been given. */
  #delivered = 0;
  #recording: Promise<unknown> = Promise.resolve();
  #cancelWatch: Cancel | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    const answered: { readonly key: string; readonly at: number }[] = [];
    for (const { id, key, kind, call, state, answer, answeredAs } of options.records) {
      const entry: Entry = { id, key, kind, call: canonical(call) };
      this.#entries.set(key, entry);
      if (state !== 'finished') continue;
      entry.answer = answer as StepAnswer;
      answered.push({ key, at: answeredAs ?? 0 });
    }
    this.#order.push(...answered.toSorted((a, b) => a.at - b.at).map(({ key }) => key));
  }

  /**
   * Answers a call of the step's function: from its record, or by `perform` when there is no answer yet. With `log` a new
   * record gets a log of that name. Rejects only when the store fails.
   */
  async answer(
    call: RecordedCall,
    attempt: number,
    perform: Perform,
    log?: string,
    beside?: Beside,
  ): Promise<StepAnswer> {
    if (attempt > this.#attempt) this.#begin(attempt);
    const found = this.#entries.get(call.key);
    const difference = found && this.#difference(found, call);
    if (difference) return difference;
    const entry = found ?? this.#newEntry(call);
    if (!entry.answer) {
      entry.underWay ??= this.#perform(entry, call, perform, found ? undefined : { log });
    }
    const done = entry.answer ? Promise.resolve() : (entry.underWay ?? Promise.resolve());
    await (beside ? this.#goOnBeside(entry, beside, done) : done);
    return await this.#inTurn(entry, attempt);
  }

  /** `once`: answered from its record, or told to run its function, which `onceDone` follows. */
  async once(call: RecordedCall, attempt: number, isIdempotent: boolean): Promise<StepAnswer> {
    if (attempt > this.#attempt) this.#begin(attempt);
    const found = this.#entries.get(call.key);
    const difference = found && this.#difference(found, call);
    if (difference) return difference;
    if (found?.answer) return await this.#inTurn(found, attempt);
    if (!found) {
      await this.#record(this.#newEntry(call), call, undefined);
    } else if (!isIdempotent) {
      await this.#finish(
        found,
        exception(
          `the outcome of ${callText(call.kind, call.args)} is unknown: it was under way when the master ended, and is not marked idempotent`,
        ),
      );
      return await this.#inTurn(found, attempt);
    }
    return { ok: { isDone: false } };
  }

  /** The function of a `once` has ended: `answer` is what its caller is given when the step runs again. */
  async onceDone(key: string, attempt: number, answer: StepAnswer): Promise<StepAnswer> {
    const entry = this.#entries.get(key);
    if (entry?.kind !== 'once' || attempt < this.#attempt)
      return exception(`call ${key} of the step is no "once" under way`);
    if (!entry.answer) await this.#finish(entry, answer);
    const turn = await this.#inTurn(entry, attempt);
    return turn === entry.answer ? { ok: null } : turn;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Resolves when nothing is under way any more, whether it went well or not. */
  async settled(): Promise<void> {
    for (;;) {
      const underWay = [
        ...[...this.#entries.values()].flatMap((entry) => entry.underWay ?? []),
        ...this.#besides.values(),
      ];
      if (underWay.length === 0) return;
      await Promise.allSettled(underWay);
    }
  }

  /** Ends the watch for calls that are not made again. */
  close(): void {
    this.#cancelWatch?.();
  }

  #begin(attempt: number): void {
    this.#attempt = attempt;
    this.#delivered = 0;
    // Their askers are gone with the thread that asked.
    for (const waiting of this.#waiting.values()) waiting.resolve();
    this.#waiting.clear();
  }

  #newEntry(call: RecordedCall): Entry {
    const { build, step } = this.#options;
    const { key, kind } = call;
    const entry: Entry = { id: commandId(build.uid, step, key), key, kind, call: this.#canonical(call.args) };
    this.#entries.set(key, entry);
    return entry;
  }

  #difference(found: Entry, call: RecordedCall): StepAnswer | undefined {
    const now = this.#canonical(call.args);
    // What was recorded before the build was given some secret may show it, and must not be taken for something else.
    const isSame = found.call === now || this.#canonical(JSON.parse(found.call)) === now;
    if (found.kind === call.kind && isSame) return undefined;
    const recorded = callText(found.kind, this.#options.redact(JSON.parse(found.call)));
    return exception(
      `call ${call.key} of the step differs from its record: recorded ${recorded}, now ${callText(call.kind, this.#options.redact(call.args))}`,
    );
  }

  #canonical(args: unknown): string {
    return canonical(this.#options.redact(asStored(args)));
  }

  async #record(entry: Entry, call: RecordedCall, log: string | undefined): Promise<Log | undefined> {
    const { commands, build, step } = this.#options;
    const { id, key, kind } = entry;
    return await commands.start(
      { id, buildId: build.id, step, key, kind, call: this.#options.redact(asStored(call.args)) },
      log === undefined ? undefined : { name: log },
    );
  }

  /** `fresh`: there is no record yet. */
  async #perform(
    entry: Entry,
    call: RecordedCall,
    perform: Perform,
    fresh: { readonly log: string | undefined } | undefined,
  ): Promise<void> {
    try {
      const made = fresh && { log: await this.#record(entry, call, fresh.log) };
      const { answer, also } = await perform(entry.id, made);
      await this.#finish(entry, answer, also);
    } finally {
      delete entry.underWay;
    }
  }

  async #goOnBeside(entry: Entry, beside: Beside, done: Promise<void>): Promise<void> {
    const both = Promise.allSettled([done, beside(entry.id, done)]);
    this.#besides.set(entry.key, both);
    const ends = await both;
    if (this.#besides.get(entry.key) === both) this.#besides.delete(entry.key);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** One after another: the order of the answers is the order of their records. */
  async #finish(entry: Entry, performed: StepAnswer, also?: () => Promise<void>): Promise<void> {
    const answer = this.#options.redact(performed);
    const recorded = this.#recording.then(async () => {
      const { commands, together } = this.#options;
      await together(() => Promise.all([commands.finish(entry.id, asStored(answer)), also?.()]));
      entry.answer = answer;
      this.#order.push(entry.key);
    });
    this.#recording = recorded.catch(() => undefined); // Told to this caller, not to the next one in line.
    await recorded;
  }

  /** Waits until all answers before this one have been delivered to this attempt. */
  async #inTurn(entry: Entry, attempt: number): Promise<StepAnswer> {
    if (attempt !== this.#attempt) return stale();
    if (this.#order[this.#delivered] !== entry.key) {
      const turn = deferred();
      this.#waiting.set(entry.key, turn);
      this.#watch();
      await turn.promise;
      if (attempt !== this.#attempt) return stale();
      if (this.#order[this.#delivered] !== entry.key) return this.#diverged();
    }
    this.#delivered += 1;
    this.#watch();
    this.#wakeNext();
    return entry.answer ?? exception('the answer of a call was lost');
  }

  /**
   * Only once the answer before has reached its asker, however many promises lie between: what is delivered in one turn of
   * the event loop has no order.
   */
  #wakeNext(): void {
    if (this.#waiting.size === 0) return;
    setImmediate(() => {
      const next = this.#order[this.#delivered];
      const turn = next === undefined ? undefined : this.#waiting.get(next);
      if (next === undefined || !turn) return;
      this.#waiting.delete(next);
      turn.resolve();
    });
  }

  /** A function that does something else than before may never make the call whose answer is due: then nothing would move. */
  #watch(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    if (this.#waiting.size === 0) return;
    this.#cancelWatch = this.#options.clock.after(this.#options.divergedAfterMs ?? DIVERGED_AFTER_MS, () => {
      // The answer that is due has been asked for.
      if (this.#besides.has(this.#order[this.#delivered] ?? '')) return this.#watch();
      for (const turn of this.#waiting.values()) turn.resolve();
      this.#waiting.clear();
    });
  }

  #diverged(): StepAnswer {
    const key = this.#order[this.#delivered] ?? '';
    const entry = this.#entries.get(key);
    const text = entry ? callText(entry.kind, JSON.parse(entry.call)) : 'nothing';
    return exception(
      `the step's function did not make call ${key} again: recorded ${text}; a step must ask the same when it runs again`,
    );
  }
}

/** The name of a call's record, and of its command on the worker. */
export function commandId(uid: string, step: number, key: string): string {
  return `${uid}.${step}.${key}`;
}

export function exception(summary: string): StepAnswer {
  return { end: { result: 'exception', summary } };
}

function stale(): StepAnswer {
  return exception('an earlier run of the step has ended');
}
