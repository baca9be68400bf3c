import type { Json, JsonObject } from '../model/json.ts';
import type { Result } from '../model/result.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { SecretRef } from '../model/secret.ts';
import type { KnownCall } from './calls.ts';
import type { CheckFacts } from './function-facts.ts';
import type { ConfigShape } from './shape.ts';

/** What a step's function may know of its build. */
export interface BuildFacts {
  readonly id: number;
  readonly uid: string;
  readonly number: number;
  readonly project: string;
  readonly builder: string;
  readonly worker: string;
  readonly reason: string;
  readonly owner: string;
  readonly source: SourceStamp;
  /** Its source is of a fork: whoever wrote it may be anybody. It gets no secrets. */
  readonly isUntrusted: boolean;
  /** As they were when the step began; `setProperty` shows in the same step, too. */
  readonly properties: JsonObject;
}

/** One call of a step's function; `calls.ts` says what each kind asks and how it is answered. */
export type StepCall = KnownCall & {
  /** Its place in the step: ordinals from 1, branches of `parallel` by name: `3`, `4.left.1`. */
  readonly key: string;
};

/** `error` is thrown in the step's function (a failure, if it lets it pass); `end` ends the step with this result whatever its function would say. */
export type StepAnswer =
  | { readonly ok: Json }
  | { readonly error: string }
  | {
      readonly end: {
        readonly result: Result;
        readonly summary: string;
        /** The worker could not do it, by no fault of the command's. */
        readonly isWorkersFault?: true;
      };
    };

export interface StepRun {
  readonly configHash: string;
  readonly project: string;
  readonly builder: string;
  /** Its index; of a check `CHECK_STEP`. */
  readonly step: number;
  readonly build: BuildFacts;
  /** Of all its commands, where the builder's `env` is a function. */
  readonly env?: Readonly<Record<string, string | SecretRef>>;
  /** Not a step is run, but the builder's `canStartBuild`: `success` is a yes, `skipped` a no with its words as the summary. */
  readonly check?: CheckFacts;
}

/** The place of a check's calls in the records of its build, before all steps. */
export const CHECK_STEP = -1;

export interface StepReport {
  readonly result: Result;
  readonly summary?: string;
  /** What the step says of itself now that it has ended; absent: what it said while it ran. */
  readonly description?: string;
  /** Its `hideIf` says so. */
  readonly isHidden?: true;
  /** What an exception of the user's code printed, for the log of the step. */
  readonly detail?: string;
}

/** A function of the configuration that is no step's, and what it is asked. */
export interface Question {
  readonly configHash: string;
  /** Names joined, then the key: `project kate/builder debian/nextWorker`. An item without a name is called by its kind. */
  readonly place: string;
  /** What it is called with, at most 1 MiB as JSON. */
  readonly args: readonly Json[];
  /** From the question to the answer, what it takes to load the configuration included. */
  readonly limitMs: number;
}

/** A function that returns nothing answers null. An error is one line for people, without the place, which the asker knows. */
export type Answered = { readonly ok: Json } | { readonly error: string };

/** Hands output of a command on to the step's observer of it; resolves when it was taken, to false when nobody listens any more. */
export type Feed = (output: Uint8Array) => Promise<boolean>;

/** `feed`: for the output of this call, before it is answered. */
export type AnswerCall = (call: StepCall, attempt: number, feed: Feed) => Promise<StepAnswer>;

/** Runs the functions of configurations in a thread of their own; transport, store and timers never wait for it. */
export interface CodeHost {
  /** Loads a bundle into the thread (and again into a new thread) and answers its checked shape. */
  load(hash: string, bundle: Uint8Array): Promise<ConfigShape>;
  /**
   * Runs a step's function; each of its calls is answered by `answer`. Never rejects: an error of the function, a guilty
   * spin, or a thread that died too often is a report with result `exception`. After the thread was started anew for another
   * step's fault, the function is simply run again, and its calls come again from the first, with `attempt` one higher (the
   * first run is attempt 1): by it the journal knows that its answers are to be given again in their order. When `signal` is
   * aborted the report comes at once, whatever the function does (its text is the caller's business); when `answer` rejects,
   * the step ends as an exception.
   */
  runStep(run: StepRun, answer: AnswerCall, signal?: AbortSignal): Promise<StepReport>;
  /**
   * Asks a function of the configuration. Never rejects: what it throws, that it does not answer in time, a guilty spin or a
   * thread that died too often is an `error`. After the thread was started anew for another's fault it is simply asked again,
   * so it must not mind. When `signal` is aborted its reason is the error, at once.
   */
  ask(question: Question, signal?: AbortSignal): Promise<Answered>;
  close(): Promise<void>;
}
