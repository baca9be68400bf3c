import type { Json, JsonObject } from '../model/json.ts';
import type { SecretRef } from '../model/secret.ts';
import type { HttpMethod } from '../model/http.ts';
import type { Result } from '../model/result.ts';
import type { TriggeredRequest, TriggerSource } from './calls.ts';
import type { BuildFacts } from './code-host.ts';
import type {
  FetchedArtifact,
  FetchOptions,
  FileStat,
  GlobOptions,
  KeepOptions,
  KeptArtifact,
  UploadOptions,
} from './step-files.ts';

/** A time as text: `500ms`, `30s`, `20m`, `1h30m`. */
export type Duration = string;

/** A number of bytes as text: `512KB`, `100MB`, `1GB`; `64MiB`. */
export type Size = string;

export interface LogFile {
  /** Relative to the command's folder, and in it. */
  readonly file: string;
  /** True: what is in it before the command begins is left out; for files that only grow. */
  readonly follow?: boolean;
  /** As that of the command; default: the same. */
  readonly logLimit?: Size;
}

export interface RunOptions {
  /** Folder on the worker, relative to the build's folder. */
  readonly cwd?: string;
  /** Added to the builder's. */
  readonly env?: Readonly<Record<string, string | SecretRef>>;
  /** Folders that are put before those which the worker has in these variables: `{ PATH: ['/opt/gcc/bin'] }`. */
  readonly prepend?: Readonly<Record<string, readonly string[]>>;
  /** At most 64 KiB. */
  readonly stdin?: string;
  /** Ends the command after so long without output; default `20m`, `null` = never. */
  readonly timeout?: Duration | null;
  /** Ends the command after so long in all; default: never. */
  readonly maxTime?: Duration;
  /** From TERM to KILL when the command is ended. */
  readonly killAfter?: Duration;
  /** Name of its log; default `stdio` for the first command of a step, `stdio-2`, … for the next. */
  readonly log?: string;
  /** Keeps so much of its output, at least `64KB`: of more the first and the last bytes; default: the builder's, or `1GiB`. */
  readonly logLimit?: Size;
  /** Gives back so many of the last bytes of its output as `output`; at most 256 KiB. */
  readonly capture?: number;
  /**
   * Called for each line of its output, in order, as it grows and all before `run` resolves: without the line's end, a line of more than
   * 64 Ki characters in pieces that say so. It reads the stored log, also again when the step is run again after a restart: a slow
   * observer holds up nothing but its step. It makes no calls of the context, and what it throws ends the step as an exception.
   */
  readonly onLine?: (line: string) => void;
  /**
   * Files that the command writes, by the names of the logs that they become while it runs; at most 10. Of a file that the command
   * does not touch the log says so.
   */
  readonly logFiles?: Readonly<Record<string, string | LogFile>>;
}

/** A file of the master, relative to its folder or absolute; a text; or one of the configuration's secrets. */
export type DownloadSource = string | { readonly text: string } | { readonly secret: string };

export interface RebootOptions extends Pick<RunOptions, 'cwd' | 'env' | 'log'> {
  /** The machine has to be back after so long; default `10m`. */
  readonly within?: Duration;
}

export interface TriggerOptions {
  /** Wait until all of it has ended; default false. */
  readonly wait?: boolean;
  /**
   * What builds of the same repository build: `pin` (default) this build's revision (its `got_revision`, or what it was asked
   * for) with its patch, `latest` the tip of its branch. Other repositories are built at the tip of their own.
   */
  readonly revision?: 'pin' | 'latest';
  /**
   * What is built instead of what this build is of, without its patch; the repository is the triggered project's if it is absent, and
   * its branch that of the project's source. Not with `revision`.
   */
  readonly source?: TriggerSource;
  /** What others call its build sets, up to 200 characters. */
  readonly externalId?: string;
  /** Their builds begin with these. */
  readonly properties?: JsonObject;
  /** Those of the schedulers whose results do not count. */
  readonly unimportant?: readonly string[];
}

/** What came of a trigger. What fails does not throw. */
export interface TriggerResult {
  /** All that counts has ended as success, warnings or skipped; without `wait`: it was asked for. */
  readonly ok: boolean;
  /** The worst of what counts; null without `wait`. */
  readonly result: Result | null;
  /** For people: `request 12 of kate/debian: failure`. */
  readonly summary: string;
  readonly requests: readonly TriggeredRequest[];
}

/** How a command ended. A command that fails does not throw. */
export interface RunResult {
  /** It ran to its end and exited with 0. */
  readonly ok: boolean;
  /** null: it was ended by a signal, or never started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Which limit ended it. */
  readonly timedOut: 'silence' | 'total' | null;
  /** For people: `exit 2`, `timed out after 20m without output`, `killed by SIGSEGV`. */
  readonly summary: string;
  readonly durationMs: number;
  /** What was captured; empty without `capture`. stdout and stderr are one stream. */
  readonly output: string;
}

export interface HttpOptions {
  /** Of http or https, without a password in it. */
  readonly url: string | SecretRef;
  /** Default: `GET`, or `POST` with a body. */
  readonly method?: HttpMethod;
  readonly headers?: Readonly<Record<string, string | SecretRef>>;
  /** At most 256 KiB, as is `json`. */
  readonly body?: string | SecretRef;
  /** Sent as JSON; secrets may stand wherever in it. */
  readonly json?: unknown;
  /** The status, or statuses, that are well; default 200 to 299. */
  readonly expect?: number | readonly number[];
  /** For all of it, redirects and the answer's body too; default `1m`, at most `5m`. */
  readonly timeout?: Duration;
  /** It may be done twice: so it is when the master was lost meanwhile. Default: all but `POST` and `PATCH`. */
  readonly idempotent?: boolean;
  /** Name of its log; default `http` for the first one of a step, `http-2`, … for the next. */
  readonly log?: string;
}

/** What came of a request. What fails does not throw. */
export interface HttpResult {
  /** There was an answer, with an expected status. */
  readonly ok: boolean;
  /** null: there was no answer. */
  readonly status: number | null;
  /** By their names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** As UTF-8, the first 64 Ki characters. */
  readonly body: string;
  /** There was more of it. */
  readonly isCut: boolean;
  /** For people: `POST: status 404`, `no answer within 1m`. */
  readonly summary: string;
  readonly durationMs: number;
}

/** Where results of tests are: files of the worker (paths or globs, see `glob`), or the output of a command. */
export type TestSource =
  | { readonly junit: string | readonly string[] }
  | { readonly tap: string | readonly string[] }
  /** `log`: of a command of this step, or of another one that is named. */
  | { readonly tap: { readonly log: string; readonly step?: string } };

/** What came of tests. What fails does not throw. */
export interface TestsResult {
  /** None failed, and all there was could be read. */
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
  /** Of those that failed, so many passed in the last build before of this builder and branch. */
  readonly newlyFailed: number;
  /** What is wrong with files, each with its name. */
  readonly problems: readonly string[];
  /** For people: `3 of 120 failed (1 new)`. */
  readonly summary: string;
}

/** What a step's function may return. Nothing = success. */
export type StepOutcome = Result | { readonly result: Result; readonly summary?: string } | undefined | void;

export type StepFunction = (ctx: StepContext) => StepOutcome | Promise<StepOutcome>;

/**
 * What a step's function works with. Every call is recorded; after a restart the function is run again, and its calls answer
 * from the record. So: await each call before the next (or use `parallel`), and take time, chance and effects on the outside
 * from `now`, `random` and `once`.
 */
export interface StepContext {
  readonly build: BuildFacts;
  /** Runs a command on the worker: text for `/bin/sh -c`, or a program with its arguments. */
  run(command: string | readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Runs a command that restarts the worker's machine, and resolves when the worker is back on another boot; what the command
   * ends like is then of no matter. If the command fails the step fails, if the machine is not back in time it is an exception.
   */
  reboot(command: string | readonly string[], options?: RebootOptions): Promise<void>;
  /** Makes a folder on the worker, with its parents. */
  mkdir(path: string): Promise<void>;
  /** Removes a file or a tree on the worker. */
  remove(path: string): Promise<void>;
  /** What is at a path on the worker. */
  stat(path: string): Promise<FileStat>;
  /**
   * The files and links on the worker that a pattern means, sorted: `*`, `?`, `[a-z]`, `{a,b}`, `**` for any folders. Links are not
   * followed, names that begin with a dot only meant by a pattern that does.
   */
  glob(pattern: string, options?: GlobOptions): Promise<readonly string[]>;
  /** Copies a file or a tree on the worker, in the place of what was there; parents are made. */
  copy(from: string, to: string): Promise<void>;
  /** Renames a file or a tree on the worker, in the place of what was there; parents are made. */
  move(from: string, to: string): Promise<void>;
  /** Keeps a file of the worker as an artifact of the build, for people and for later builds. */
  keep(path: string, options?: KeepOptions): Promise<KeptArtifact>;
  /** Copies an artifact of another build to the worker, the same one also when the step is run again after a restart. */
  fetch(name: string, path: string, options?: FetchOptions): Promise<FetchedArtifact>;
  /** Copies a file of the worker to the master (Buildbot's FileUpload). `to` is relative to the master's folder. */
  upload(
    path: string,
    to: string,
    options?: UploadOptions,
  ): Promise<{ readonly size: number; readonly sha256: string }>;
  /**
   * Copies a file of the master, or a text, to the worker (Buildbot's FileDownload, StringDownload). With `sha256` (hex) a file
   * that is not the one meant is refused. The file of a secret is for its owner alone (mode 600), and is removed when the build ends.
   */
  download(
    from: DownloadSource,
    path: string,
    options?: { readonly mode?: number; readonly sha256?: string },
  ): Promise<void>;
  /** Writes a log of the step: the whole of it, at most 4 MiB. */
  log(name: string, text: string): Promise<void>;
  /** Shows a link with the step, http or https; of one name the last. At most 100 a step. */
  link(name: string, url: string): Promise<void>;
  /** A property of the build, as it is in this step. */
  property(name: string): Json | undefined;
  /** All of them, as they are now. */
  readonly properties: JsonObject;
  setProperty(name: string, value: Json): Promise<void>;
  /** Says in a few words (one line, at most 200 characters) what the step is at; shown beside its name. */
  describe(text: string): Promise<void>;
  /**
   * Has builds made by triggerable schedulers: `NAME` of the own project, or `PROJECT/NAME`. With `wait` their requests have the
   * place of this build in the queue, and are cancelled when this build ends before them.
   */
  trigger(schedulers: string | readonly string[], options?: TriggerOptions): Promise<TriggerResult>;
  /** Has the master send a request. Its log has what was said on both sides, without secrets. */
  http(options: HttpOptions): Promise<HttpResult>;
  /**
   * Keeps what tests did, for people and for the builds to come. At most 1,000 files, 64 MiB each and 256 MiB in all; of a build the
   * first 200,000 results are kept, the rest is counted. A pattern that no file fits fails the step, unless `allowEmpty`.
   */
  testResults(source: TestSource, options?: { readonly allowEmpty?: boolean }): Promise<TestsResult>;
  /** UTC milliseconds. */
  now(): Promise<number>;
  /** From 0 to below 1. */
  random(): Promise<number>;
  /**
   * Runs `fn` and records its value (JSON), so that a restart does not run it again. If the master is lost while it runs, the
   * step ends as `exception` (outcome unknown), unless it is declared idempotent: then it is run again.
   */
  once<T extends Json | undefined | void>(
    name: string,
    fn: () => T | Promise<T>,
    options?: { readonly idempotent?: boolean },
  ): Promise<T>;
  /** Runs branches at the same time; each must use the context it is given. Throws the first branch's error, after all ended. */
  parallel<T extends Readonly<Record<string, unknown>>>(branches: {
    readonly [K in keyof T]: (ctx: StepContext) => T[K] | Promise<T[K]>;
  }): Promise<T>;
  /** Ends the step as a failure. */
  fail(message: string): never;
}
