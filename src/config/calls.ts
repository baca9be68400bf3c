import type { Json, JsonObject } from '../model/json.ts';
import type { SecretRef } from '../model/secret.ts';
import type { HttpMethod } from '../model/http.ts';
import type { Result } from '../model/result.ts';
import type { TestCounts } from '../model/test-result.ts';

/**
 * The calls a step's function makes, and what each is answered with (`{ ok: … }` of `StepAnswer`).
 *
 * | kind          | who does it | `ok`          | remarks                                                                   |
 * |---------------|-------------|---------------|---------------------------------------------------------------------------|
 * | `run`         | worker      | `RunAnswer`   | also for a command that failed, timed out, or was refused                 |
 * | `boot`        | master      | text          | names the boot of the worker's machine; waits for a worker that is away   |
 * | `reboot`      | worker      | `null`        | once the worker is back on another boot than `bootId`; see below          |
 * | `mkdir`       | worker      | `FileAnswer`  | parents too; one that is there is no error                                |
 * | `remove`      | worker      | `FileAnswer`  | whole trees; one that is not there is no error                            |
 * | `put`         | worker      | `FileAnswer`  | master → worker                                                           |
 * | `get`         | worker      | `FileAnswer`  | worker → master                                                           |
 * | `stat`        | worker      | `StatAnswer`  |                                                                           |
 * | `glob`        | worker      | list of texts | paths, sorted                                                             |
 * | `copy`        | worker      | `FileAnswer`  | what was at `to` is replaced                                              |
 * | `move`        | worker      | `FileAnswer`  | what was at `to` is replaced                                              |
 * | `keep`        | worker      | `FileAnswer`  | the file is an artifact of the build                                      |
 * | `artifact`    | master      | `FoundArtifact` | which one is meant: the same whenever the step is run again             |
 * | `follow`      | worker      | `null`        | a command that prints a file as it grows; however it ended                |
 * | `setProperty` | master      | `null`        | source of the property: the step's name                                   |
 * | `log`         | master      | `null`        | writes a log; its record has the text's SHA-256 in its place              |
 * | `link`        | master      | `null`        | in the place of an earlier one of the step and name                       |
 * | `http`        | master      | `HttpAnswer`  | in flight at a crash: done again if `mayRepeat`, else `{ end: exception, outcome unknown }` |
 * | `testResults` | master      | `TestsAnswer` | of files that `get`s of this step brought, or a log; kept once, however often it is made |
 * | `describe`    | master      | `null`        | shown with the step                                                       |
 * | `trigger`     | master      | `TriggerAnswer` | adds its requests once, however often it is made; with `waits` once they have ended |
 * | `now`         | master      | number        | UTC ms                                                                    |
 * | `random`      | master      | number        | from 0 to below 1                                                         |
 * | `once`        | master      | `OnceAnswer`  | see below                                                                 |
 * | `once.done`   | master      | `null`        | has the key of its `once` and finishes that record; no record of its own  |
 *
 * Each call but `once.done` has a record of its own; a finished record is answered from, a started `trigger` or one of the
 * worker's is re-attached, any other is done again.
 *
 * A file operation that the worker refused is answered `{ error: message }`: it is thrown in the step's function, and ends
 * the step as a failure when the function lets it pass. An outcome `unknown` is answered with `{ end: exception }`, a command
 * that was interrupted because the build is stopped with `{ end: cancelled }`.
 *
 * `reboot` runs a command that restarts the machine. It is answered `{ error: message }` when the command failed, and with
 * `{ end: exception }` when the worker was not back on another boot in time, counted afresh by a restarted master.
 *
 * `once`: no record → make one (started), answer `{ isDone: false }`: the thread runs the function, then sends `once.done`.
 * A finished record → its answer: `{ isDone: true, value }`, or `{ error }` when the function threw. A started record (a
 * crash, or the thread was ended) → `{ isDone: false }` if `isIdempotent`, else `{ end: exception, outcome unknown }`.
 */
export type KnownCall =
  | { readonly kind: 'run'; readonly args: RunArgs }
  | { readonly kind: 'boot'; readonly args: NoArgs }
  | { readonly kind: 'reboot'; readonly args: RebootArgs }
  | { readonly kind: 'mkdir'; readonly args: PathArgs }
  | { readonly kind: 'remove'; readonly args: PathArgs }
  | { readonly kind: 'put'; readonly args: PutArgs }
  | { readonly kind: 'get'; readonly args: GetArgs }
  | { readonly kind: 'stat'; readonly args: PathArgs }
  | { readonly kind: 'glob'; readonly args: GlobArgs }
  | { readonly kind: 'copy'; readonly args: TwoPathArgs }
  | { readonly kind: 'move'; readonly args: TwoPathArgs }
  | { readonly kind: 'keep'; readonly args: KeepArgs }
  | { readonly kind: 'artifact'; readonly args: FindArtifactArgs }
  | { readonly kind: 'follow'; readonly args: FollowArgs }
  | { readonly kind: 'setProperty'; readonly args: { readonly name: string; readonly value: Json } }
  | { readonly kind: 'log'; readonly args: LogArgs }
  | { readonly kind: 'link'; readonly args: LinkArgs }
  | { readonly kind: 'describe'; readonly args: { readonly text: string } }
  | { readonly kind: 'trigger'; readonly args: TriggerArgs }
  | { readonly kind: 'http'; readonly args: HttpArgs }
  | { readonly kind: 'testResults'; readonly args: TestsArgs }
  | { readonly kind: 'now'; readonly args: NoArgs }
  | { readonly kind: 'random'; readonly args: NoArgs }
  | { readonly kind: 'once'; readonly args: { readonly name: string; readonly isIdempotent: boolean } }
  | { readonly kind: 'once.done'; readonly args: OnceDoneArgs };

type NoArgs = Readonly<Record<string, never>>;

/** Paths of the worker are relative to the seat's folder. Times are ms. */
export type RunArgs = {
  /** Text for `/bin/sh -c`, or a program and its arguments. */
  readonly command: string | readonly string[];
  readonly cwd?: string;
  /** Whole: the builder's and the call's. */
  readonly env: Readonly<Record<string, string | SecretRef>>;
  /** Folders before those that the worker has in these variables. */
  readonly prepend?: Readonly<Record<string, readonly string[]>>;
  readonly stdin?: string;
  /** End the command after so long without output; absent: never. */
  readonly silenceMs?: number;
  readonly totalMs?: number;
  readonly killAfterMs?: number;
  /** Name of the log its output goes to. Unique in the step. */
  readonly log: string;
  /** So much of its output is kept, its head and its tail; absent: 1 GiB. */
  readonly logMaxBytes?: number;
  /** So many of the last bytes of its output are wanted in the answer. */
  readonly capture?: number;
  /** Its output is fed to the step's function, all of it before the answer. */
  readonly isObserved?: boolean;
};

export type RebootArgs = RunArgs & {
  /** The boot that is to end: the command is started on no other. */
  readonly bootId: string;
  readonly withinMs: number;
};

export type RunAnswer = {
  /** refused: never started; `message` says why. */
  readonly status: 'exited' | 'signalled' | 'refused';
  readonly exitCode?: number;
  readonly signal?: string;
  /** We ended it, and why. */
  readonly ended?: 'silence' | 'total' | 'interrupt' | 'deadline' | 'forgotten';
  readonly message?: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** With `capture`: the last bytes of the stored log, as UTF-8. */
  readonly captured?: string;
};

export type FollowArgs = Pick<RunArgs, 'cwd' | 'env' | 'log' | 'logMaxBytes'> & {
  /** It and the mark are in the command's folder. */
  readonly file: string;
  /** Once it is there the file grows no more. */
  readonly mark: string;
  /** Where to begin. */
  readonly at: number;
  /** `SIZE SECONDS` before the command: a file that is still the same is not the command's. Empty: there was none. */
  readonly old: string;
};

export type LogArgs = {
  /** Its name. Unique in the step. */
  readonly log: string;
  readonly text: string;
};

export type LinkArgs = { readonly name: string; readonly url: string };

export type TriggerArgs = {
  /** Each once: names of triggerable schedulers of the build's own project, or `PROJECT/NAME`. */
  readonly schedulers: readonly string[];
  /** Those of them whose results do not count. */
  readonly unimportant: readonly string[];
  readonly waits: boolean;
  /** Of the same repository the same revision, with the patch if there is one; otherwise the tip of the branch. */
  readonly isPinned: boolean;
  /** The build's property `got_revision`, when it has one. */
  readonly gotRevision?: string;
  /** Instead of all that. */
  readonly source?: TriggerSource;
  readonly externalId?: string;
  readonly properties: JsonObject;
};

export type TriggerSource = { readonly repository?: string; readonly branch?: string; readonly revision?: string };

export type TriggerAnswer = { readonly requests: readonly TriggeredRequest[] };

export type TriggeredRequest = {
  readonly id: number;
  /** As the call named it. */
  readonly scheduler: string;
  readonly project: string;
  readonly builder: string;
  /** The id of its last build; null when there was none (yet). */
  readonly build: number | null;
  /** null when it had not ended. */
  readonly result: Result | null;
};

type PathArgs = { readonly path: string };

export type PutArgs = {
  readonly path: string;
  /** The text itself, or a file on the master: relative to the master's folder, or absolute; refused when it has another hash. */
  readonly source:
    | { readonly text: string }
    | SecretRef
    | { readonly file: string; readonly sha256?: string }
    /** By its hash. */
    | { readonly artifact: string; readonly size: number };
  readonly mode?: number;
};

export type GetArgs = {
  readonly path: string;
  /** Where it is put on the master: relative to the master's folder, or absolute. Parents are made. Absent: kept until the step ends. */
  readonly file?: string;
  /** A longer file is refused. */
  readonly maxBytes?: number;
  /** Of the file on the master. */
  readonly mode?: number;
  /** It gets the time of its last change on the worker. */
  readonly keepsStamp?: boolean;
};

/** `path` is the pattern. */
export type GlobArgs = { readonly path: string; readonly limit?: number };

export type TwoPathArgs = { readonly path: string; readonly to: string };

export type KeepArgs = { readonly path: string; readonly name: string; readonly maxBytes?: number };

export type FindArtifactArgs = {
  readonly name: string;
  /** `PROJECT` or `PROJECT/BUILDER`; absent: the projects that the build's own depends on. */
  readonly from?: string;
  /** Its number; absent: the last good one. */
  readonly build?: number;
};

export type FoundArtifact = {
  readonly build: number;
  readonly project: string;
  readonly builder: string;
  readonly number: number;
  readonly sha256: string;
  readonly size: number;
};

export type StatAnswer = {
  readonly type: 'file' | 'folder' | 'link' | 'other' | 'none';
  readonly size?: number;
  readonly mode?: number;
  readonly mtimeMs?: number;
};

export type FileAnswer = { readonly size?: number; readonly sha256?: string };

export type HttpArgs = {
  readonly method: HttpMethod;
  readonly url: string | SecretRef;
  readonly headers: Readonly<Record<string, string | SecretRef>>;
  readonly body?: string | SecretRef;
  /** In the place of `body`; secrets stand wherever in it. */
  readonly json?: Json;
  readonly timeoutMs: number;
  /** To do it twice is as good as once. */
  readonly mayRepeat: boolean;
  readonly hasSecrets: boolean;
  readonly log: string;
};

export type HttpAnswer =
  | {
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** The first 64 Ki characters. */
      readonly body: string;
      readonly isCut: boolean;
      /** Where it leads, when that was not followed. */
      readonly redirect?: string;
      readonly durationMs: number;
    }
  /** There was no answer. */
  | { readonly problem: string; readonly durationMs: number };

export type TestsArgs = {
  readonly format: 'junit' | 'tap';
  /** `call`: the key of the `get` that brought it; `step`: another one than this, by its name. */
  readonly from:
    | { readonly files: readonly { readonly path: string; readonly call: string }[] }
    | { readonly log: string; readonly step?: string };
};

export type TestsAnswer = {
  readonly counts: TestCounts;
  /** Of those that failed, so many passed in the last build before. */
  readonly newlyFailed: number;
  /** So many were counted, and not kept. */
  readonly leftOut: number;
  /** What is wrong with files, each with its name. */
  readonly problems: readonly string[];
};

export type OnceAnswer = { readonly isDone: false } | { readonly isDone: true; readonly value: Json };

type OnceDoneArgs = { readonly value: Json } | { readonly error: string };
