import type { Json, JsonObject } from '../../model/json.ts';
import type {
  FileAnswer,
  FoundArtifact,
  HttpAnswer,
  KnownCall,
  OnceAnswer,
  RunAnswer,
  StatAnswer,
  TestsAnswer,
  TriggerAnswer,
} from '../calls.ts';
import type {
  DownloadSource,
  HttpOptions,
  HttpResult,
  RebootOptions,
  RunOptions,
  RunResult,
  StepContext,
  TestSource,
  TestsResult,
  TriggerOptions,
  TriggerResult,
} from '../step-context.ts';
import type { BuildFacts } from '../code-host.ts';
import type {
  FetchedArtifact,
  FetchOptions,
  FileStat,
  GlobOptions,
  KeepOptions,
  KeptArtifact,
  UploadOptions,
} from '../step-files.ts';
import { fetchArgs, fileStat, findArtifactArgs, getArgs, keepArgs, globArgs, text, twoPaths } from './file-args.ts';
import { descriptionOf } from './ask-aside.ts';
import { toJson } from './open-run.ts';
import type { OpenRun } from './open-run.ts';
import { linkArgs, logArgs } from './shown-args.ts';
import { followedFiles, runFollowed } from './log-files.ts';
import { httpArgs, httpResult } from './http-args.ts';
import { rebootArgs, runArgs, runResult } from './run-args.ts';
import type { BuilderDefaults } from './run-args.ts';
import { StepFailure } from './step-error.ts';
import { fetchTests, testsResult } from './test-args.ts';
import { triggerArgs, triggerResult } from './trigger-args.ts';

const BRANCH = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;
/** A key becomes a part of a command's id, which is the name of a folder on the worker. */
const KEY_CHARACTERS = 100;
/** A text is kept in the step's record; what is longer comes from a file. */
const TEXT_CHARACTERS = 256 * 1024;
const PROPERTY_NAME = /^\S(?:.{0,98}\S)?$/u;

/**
 * The context of a step's function, or of one branch of `parallel`. Its calls are sequential and numbered from 1, so that a
 * function that is run again makes the same calls under the same keys.
 */
export class StepScope implements StepContext {
  readonly #run: OpenRun;
  readonly #prefix: string;
  readonly #logPrefix: string;
  #ordinal = 0;
  #commands = 0;
  #parallels = 0;
  #requests = 0;
  /** The call that is on its way. */
  #pending: string | undefined;

  constructor(run: OpenRun, prefix = '', logPrefix = '') {
    this.#run = run;
    this.#prefix = prefix;
    this.#logPrefix = logPrefix;
  }

  get build(): BuildFacts {
    return this.#run.build;
  }

  /** The call that was made and not awaited, if any. */
  get pending(): string | undefined {
    return this.#pending;
  }

  async run(command: string | readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const args = runArgs(command, options, this.#given());
    const { onLine } = options;
    const files = followedFiles(options.logFiles);
    const answer = await this.#exclusively('run', async (key) => {
      this.#takeLog(args.log);
      for (const { log } of files) this.#run.takeLog(log);
      if (onLine) this.#run.observe(key, onLine);
      if (files.length === 0) return await this.#run.call(key, { kind: 'run', args });
      return await runFollowed((...call) => this.#run.call(...call), key, args, files, this.#run.place);
    });
    return runResult(args, answer as RunAnswer);
  }

  async reboot(command: string | readonly string[], options: RebootOptions = {}): Promise<void> {
    const args = rebootArgs(command, options, this.#given());
    await this.#exclusively('reboot', async (key) => {
      this.#takeLog(args.log);
      // Known before the command is recorded: a master that is killed after it must not take the old boot for the new one.
      const bootId = (await this.#run.call(`${key}.boot`, { kind: 'boot', args: {} })) as string;
      await this.#run.call(key, { kind: 'reboot', args: { ...args, bootId } });
    });
  }

  async mkdir(path: string): Promise<void> {
    await this.#call('mkdir', () => ({ kind: 'mkdir', args: { path: text(path, 'path') } }));
  }

  async remove(path: string): Promise<void> {
    await this.#call('remove', () => ({ kind: 'remove', args: { path: text(path, 'path') } }));
  }

  async stat(path: string): Promise<FileStat> {
    const answer = await this.#call('stat', () => ({ kind: 'stat', args: { path: text(path, 'path') } }));
    return fileStat(answer as StatAnswer);
  }

  async glob(pattern: string, options: GlobOptions = {}): Promise<readonly string[]> {
    const args = globArgs(pattern, options);
    return (await this.#call('glob', () => ({ kind: 'glob', args }))) as readonly string[];
  }

  async copy(from: string, to: string): Promise<void> {
    await this.#call('copy', () => ({ kind: 'copy', args: twoPaths(from, to) }));
  }

  async move(from: string, to: string): Promise<void> {
    await this.#call('move', () => ({ kind: 'move', args: twoPaths(from, to) }));
  }

  async keep(path: string, options: KeepOptions = {}): Promise<KeptArtifact> {
    const args = keepArgs(path, options);
    const { size = 0, sha256 = '' } = (await this.#call('keep', () => ({ kind: 'keep', args }))) as FileAnswer;
    return { name: args.name, size, sha256 };
  }

  async fetch(name: string, path: string, options: FetchOptions = {}): Promise<FetchedArtifact> {
    const args = findArtifactArgs(name, options);
    const target = text(path, 'path');
    return await this.#exclusively('fetch', async (key) => {
      // In a record of its own: another build may be the last good one when the step is run again.
      const found = (await this.#run.call(`${key}.which`, { kind: 'artifact', args })) as FoundArtifact;
      await this.#run.call(key, { kind: 'put', args: fetchArgs(found, target, options) });
      const { project, builder, number, size, sha256 } = found;
      return { name: args.name, project, builder, number, size, sha256 };
    });
  }

  async upload(
    path: string,
    to: string,
    options: UploadOptions = {},
  ): Promise<{ readonly size: number; readonly sha256: string }> {
    const args = getArgs(path, to, options);
    const { size = 0, sha256 = '' } = (await this.#call('upload', () => ({ kind: 'get', args }))) as FileAnswer;
    return { size, sha256 };
  }

  async download(
    from: DownloadSource,
    path: string,
    options: { readonly mode?: number; readonly sha256?: string } = {},
  ): Promise<void> {
    const { mode, sha256 } = options;
    const source =
      typeof from === 'string'
        ? { file: text(from, 'from'), ...(sha256 !== undefined && { sha256 }) }
        : 'secret' in from
          ? { kind: 'secret' as const, name: text(from.secret, 'secret') }
          : { text: wholeText(from.text) };
    const args = { path: text(path, 'path'), source, ...(mode !== undefined && { mode }) };
    await this.#call('download', () => ({ kind: 'put', args }));
  }

  async log(name: string, text: string): Promise<void> {
    const args = logArgs(name, text);
    await this.#call('log', () => {
      this.#run.takeLog(name);
      return { kind: 'log', args };
    });
  }

  async link(name: string, url: string): Promise<void> {
    const args = linkArgs(name, url);
    await this.#call('link', () => {
      this.#run.takeLink(name);
      return { kind: 'link', args };
    });
  }

  property(name: string): Json | undefined {
    return this.#run.property(name);
  }

  get properties(): JsonObject {
    return this.#run.properties;
  }

  async setProperty(name: string, value: Json): Promise<void> {
    if (!PROPERTY_NAME.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name for a property`);
    const copy = toJson(value, `property ${name}`);
    await this.#call('setProperty', () => ({ kind: 'setProperty', args: { name, value: copy } }));
    this.#run.setProperty(name, copy);
  }

  async describe(text: string): Promise<void> {
    const line = descriptionOf(text, 'the description');
    await this.#call('describe', () => ({ kind: 'describe', args: { text: line } }));
  }

  async trigger(schedulers: string | readonly string[], options: TriggerOptions = {}): Promise<TriggerResult> {
    const args = triggerArgs(schedulers, options, this.property('got_revision'));
    const answer = await this.#call('trigger', () => ({ kind: 'trigger', args }));
    return triggerResult(args, answer as TriggerAnswer);
  }

  async http(options: HttpOptions): Promise<HttpResult> {
    const args = httpArgs(options, options.log ?? this.#logName('http', this.#requests + 1));
    const answer = await this.#call('http', () => {
      this.#run.takeLog(args.log);
      this.#requests += 1;
      return { kind: 'http', args };
    });
    return httpResult(args, options.expect, answer as HttpAnswer);
  }

  testResults(
    source: TestSource,
    { allowEmpty = false }: { readonly allowEmpty?: boolean } = {},
  ): Promise<TestsResult> {
    return this.#exclusively('testResults', async (key) => {
      const args = await fetchTests(source, allowEmpty, key, (part, call) => this.#run.call(`${key}.${part}`, call));
      return testsResult((await this.#run.call(key, { kind: 'testResults', args })) as TestsAnswer);
    });
  }

  async now(): Promise<number> {
    return (await this.#call('now', () => ({ kind: 'now', args: {} }))) as number;
  }

  async random(): Promise<number> {
    return (await this.#call('random', () => ({ kind: 'random', args: {} }))) as number;
  }

  once<T extends Json | undefined | void>(
    name: string,
    fn: () => T | Promise<T>,
    options: { readonly idempotent?: boolean } = {},
  ): Promise<T> {
    const args = { name: text(name, 'name'), isIdempotent: options.idempotent ?? false };
    return this.#exclusively(`once(${JSON.stringify(name)})`, async (key) => {
      const answer = (await this.#run.call(key, { kind: 'once', args })) as OnceAnswer;
      if (answer.isDone) return answer.value as T;
      let value: Json;
      try {
        value = toJson((await fn()) ?? null, `the value of once(${JSON.stringify(name)})`);
      } catch (error) {
        const message = `once(${JSON.stringify(name)}): ${error instanceof Error ? error.message : String(error)}`;
        await this.#run.call(key, { kind: 'once.done', args: { error: message } });
        // As a replay would throw it, so that the function goes the same way again.
        throw new StepFailure(message, { cause: error });
      }
      await this.#run.call(key, { kind: 'once.done', args: { value } });
      return value as T;
    });
  }

  parallel<T extends Readonly<Record<string, unknown>>>(branches: {
    readonly [K in keyof T]: (ctx: StepContext) => T[K] | Promise<T[K]>;
  }): Promise<T> {
    return this.#exclusively('parallel', async (key) => {
      this.#parallels += 1;
      const nth = this.#parallels > 1 ? `${this.#parallels}.` : '';
      const ends = await Promise.allSettled(
        Object.entries(branches).map(async ([name, branch]) => {
          if (!BRANCH.test(name)) {
            throw new TypeError(
              `${JSON.stringify(name)} is no name for a branch: use up to 32 letters, digits, "_", "-"`,
            );
          }
          const log = `${this.#logPrefix === '' ? '-' : `${this.#logPrefix}.`}${nth}${name}`;
          const scope = new StepScope(this.#run, `${key}.${name}.`, log);
          const value: unknown = await (branch as (ctx: StepContext) => unknown)(scope);
          if (scope.pending !== undefined) throw notAwaited(scope.pending);
          return [name, value] as const;
        }),
      );
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      return Object.fromEntries(ends.map((end) => (end.status === 'fulfilled' ? end.value : ['', undefined]))) as T;
    });
  }

  fail(message: string): never {
    throw new StepFailure(message);
  }

  /** `http`, `http-2`; with the branch in it. */
  #logName(of: string, nth: number): string {
    return `${of}${this.#logPrefix}${nth > 1 ? `-${nth}` : ''}`;
  }

  /** What the next command has if it is not told otherwise. */
  #given(): BuilderDefaults & { readonly log: string } {
    return { ...this.#run.given, log: this.#logName('stdio', this.#commands + 1) };
  }

  #takeLog(name: string): void {
    this.#run.takeLog(name);
    this.#commands += 1;
  }

  #call(what: string, make: (key: string) => KnownCall): Promise<Json> {
    return this.#exclusively(what, async (key) => await this.#run.call(key, make(key)));
  }

  async #exclusively<T>(what: string, fn: (key: string) => Promise<T>): Promise<T> {
    if (this.#pending !== undefined) {
      throw new Error(
        `ctx.${what} was called while ctx.${this.#pending} was under way; await each call, or use ctx.parallel and the context it gives to each branch`,
      );
    }
    this.#ordinal += 1;
    const key = `${this.#prefix}${this.#ordinal}`;
    if (key.length > KEY_CHARACTERS) throw new RangeError('ctx.parallel is nested too deeply');
    this.#pending = what;
    try {
      return await fn(key);
    } finally {
      this.#pending = undefined;
    }
  }
}

export function notAwaited(what: string): Error {
  return new Error(`the function ended while ctx.${what} was under way: await it`);
}

function wholeText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`text is ${typeof value}; give a text`);
  if (value.length <= TEXT_CHARACTERS) return value;
  throw new RangeError(`text is longer than ${TEXT_CHARACTERS} characters; put it into a file of the master`);
}
