import { systemClock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { errorText, UserMistake } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type {
  AnswerCall,
  Answered,
  CodeHost,
  Question,
  StepAnswer,
  StepCall,
  StepReport,
  StepRun,
} from './code-host.ts';
import { CodeThread } from './code-thread.ts';
import type { ThreadEnd, ThreadMessage } from './code-thread.ts';
import { showDuration } from './duration.ts';
import { Feeds } from './feeds.ts';
import { askTask, stepTask } from './thread-task.ts';
import type { Task, TaskEnd } from './thread-task.ts';
import type { ConfigShape } from './shape.ts';
import { MARK } from './thread/thread-messages.ts';

export interface ThreadCodeHostOptions {
  readonly logger: Logger;
  /** A function that does not yield for so long is ended; default 20 s. */
  readonly spinLimitMs?: number;
  /** Heap of the thread; default 512. */
  readonly memoryMb?: number;
  /** A configuration that is not loaded by then is refused; default 60 s. */
  readonly loadLimitMs?: number;
  /** Where a bundle is found that a step needs and this host was not given. */
  readonly bundleOf?: (hash: string) => Promise<Uint8Array | undefined>;
}

const SPIN_LIMIT_MS = 20_000;
const LOAD_LIMIT_MS = 60_000;
const MEMORY_MB = 512;
const QUESTION_CHARACTERS = 1024 * 1024;
/** So often a task is begun anew after deaths of the thread that nobody could be blamed for. */
const UNEXPLAINED_DEATHS = 3;

interface Entry {
  readonly id: number;
  readonly task: Task;
  attempt: number;
  /** Of this attempt. */
  feeds: Feeds;
  deaths: number;
}

/** One thread of user code, started anew when it dies. It starts with the first configuration. */
export class ThreadCodeHost implements CodeHost {
  readonly #options: ThreadCodeHostOptions;
  readonly #bundles = new Map<string, Uint8Array>();
  readonly #tasks = new Map<number, Entry>();
  /** Names of tasks that nobody waits for any more, and whose code may be at work until the thread has heard of it. */
  readonly #left = new Map<number, string>();
  #thread: CodeThread | undefined;
  /** By hash, in this life of the thread. */
  #loaded = new Map<string, Promise<ConfigShape>>();
  readonly #shapes = new Map<string, ConfigShape>();
  #loading: { readonly hash: string; readonly shape: Deferred<ConfigShape> } | undefined;
  #loads: Promise<unknown> = Promise.resolve();
  /** Bundles that this life of the thread was given to load, which it can never let go of. */
  #loadCount = 0;
  #lastId = 0;
  #isClosed = false;

  constructor(options: ThreadCodeHostOptions) {
    this.#options = options;
  }

  get loadCount(): number {
    return this.#loadCount;
  }

  async load(hash: string, bundle: Uint8Array): Promise<ConfigShape> {
    const known = this.#bundles.has(hash);
    this.#bundles.set(hash, bundle);
    try {
      return await this.#load(hash);
    } catch (error) {
      if (!known) this.#bundles.delete(hash);
      throw error;
    }
  }

  runStep(run: StepRun, answer: AnswerCall, signal?: AbortSignal): Promise<StepReport> {
    return new Promise((resolve) => {
      this.#add(
        ++this.#lastId,
        stepTask(run, () => this.#stepName(run), answer, resolve),
        signal,
      );
    });
  }

  ask(question: Question, signal?: AbortSignal): Promise<Answered> {
    if (JSON.stringify(question.args).length > QUESTION_CHARACTERS) {
      return Promise.resolve({ error: `it would be asked with more than ${QUESTION_CHARACTERS} characters of JSON` });
    }
    const { limitMs } = question;
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const late = { dropped: `it has not answered after ${showDuration(limitMs)}` };
      const cancelLimit = systemClock.after(limitMs, () => this.#finish(id, late));
      const task = askTask(question, (answered) => {
        cancelLimit();
        resolve(answered);
      });
      this.#add(id, task, signal);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    for (const id of Array.from(this.#tasks.keys())) this.#finish(id, { dropped: 'the master stops' });
    this.#loading?.shape.reject(new UserMistake('the master stops'));
    await thread?.end();
  }

  /** Begins a task, or ends it when it is not to begin any more. */
  #add(id: number, task: Task, signal: AbortSignal | undefined): void {
    const drop = (): void => this.#finish(id, { dropped: errorText(signal?.reason ?? 'the master stops') });
    const end = (end: TaskEnd): void => {
      signal?.removeEventListener('abort', drop);
      task.end(end);
    };
    this.#tasks.set(id, { id, task: { ...task, end }, attempt: 0, feeds: new Feeds(), deaths: 0 });
    if (signal?.aborted || this.#isClosed) return drop();
    signal?.addEventListener('abort', drop);
    void this.#begin(id);
  }

  /** Loads into this life of the thread, one at a time, so that it is known whose code is at work. */
  #load(hash: string): Promise<ConfigShape> {
    const known = this.#loaded.get(hash);
    if (known) return known;
    const shape = this.#loads.then(() => this.#loadNow(hash));
    this.#loads = shape.catch(() => undefined); // Whoever asked hears of it; the next one only waits for its turn.
    this.#loaded.set(hash, shape);
    shape.catch(() => {
      if (this.#loaded.get(hash) === shape) this.#loaded.delete(hash);
    });
    return shape;
  }

  async #loadNow(hash: string): Promise<ConfigShape> {
    const bundle = this.#bundles.get(hash) ?? (await this.#options.bundleOf?.(hash));
    if (!bundle) throw new UserMistake(`configuration ${hash} is not loaded`);
    this.#bundles.set(hash, bundle);
    if (this.#isClosed) throw new UserMistake('the master stops');
    const { loadLimitMs = LOAD_LIMIT_MS } = this.#options;
    const shape = deferred<ConfigShape>();
    this.#loading = { hash, shape };
    const cancel = systemClock.after(loadLimitMs, () =>
      shape.reject(new UserMistake(`it was not loaded after ${loadLimitMs} ms; let its top level await less`)),
    );
    try {
      this.#sendLoad(hash, bundle);
      const loaded = await shape.promise;
      this.#shapes.set(hash, loaded);
      return loaded;
    } finally {
      cancel();
      this.#loading = undefined;
      this.#watch();
    }
  }

  async #begin(id: number): Promise<void> {
    const entry = this.#tasks.get(id);
    if (!entry) return;
    const attempt = ++entry.attempt;
    entry.feeds.end();
    entry.feeds = new Feeds();
    try {
      await this.#load(entry.task.configHash);
    } catch (error) {
      if (entry.attempt !== attempt) return;
      return this.#finish(id, { broken: `the configuration could not be loaded: ${errorText(error)}` });
    }
    // Over, or begun anew because the thread died meanwhile.
    if (!this.#tasks.has(id) || entry.attempt !== attempt) return;
    this.#start().send(entry.task.order(id));
    this.#watch();
  }

  #sendLoad(hash: string, bundle: Uint8Array): void {
    this.#loadCount += 1;
    this.#start().send({ type: 'load', hash, bundle });
    this.#watch();
  }

  #start(): CodeThread {
    const { logger, spinLimitMs = SPIN_LIMIT_MS, memoryMb = MEMORY_MB } = this.#options;
    this.#thread ??= new CodeThread({
      // Never a clock that a test turns: a thread lives in real time.
      clock: systemClock,
      logger,
      spinLimitMs,
      memoryMb,
      onMessage: (message) => this.#receive(message),
      onSlow: (mark, silentMs) => logger.warn(`${this.#nameOf(mark)} has not yielded for ${Math.round(silentMs)} ms`),
      onEnd: (end) => this.#startAnew(end),
    });
    return this.#thread;
  }

  #watch(): void {
    this.#thread?.watch(this.#tasks.size > 0 || this.#left.size > 0 || this.#loading !== undefined);
  }

  #receive(message: ThreadMessage): void {
    switch (message.type) {
      case 'loaded':
        if (this.#loading?.hash === message.hash) this.#loading.shape.resolve(message.shape);
        return;
      case 'refused':
        if (this.#loading?.hash === message.hash) this.#loading.shape.reject(refusal(message.mistakes));
        return;
      case 'call':
        return void this.#answer(message.id, message.call);
      case 'taken':
        return this.#tasks.get(message.id)?.feeds.taken(message.key);
      case 'report':
        return this.#finish(message.id, message);
      case 'answered':
        return this.#finish(message.id, message);
      case 'dropped':
        this.#left.delete(message.id);
        return this.#watch();
      case 'stray':
        return this.#options.logger.warn('an error in the code of a configuration, of no step that runs', {
          error: message.text,
        });
    }
  }

  async #answer(id: number, call: StepCall): Promise<void> {
    const entry = this.#tasks.get(id);
    if (!entry?.task.answer) return;
    const { attempt, feeds } = entry;
    const { key } = call;
    const feed = (bytes: Uint8Array): Promise<boolean> =>
      feeds.give(key, () => this.#thread?.send({ type: 'output', id, key, bytes }));
    let answer: StepAnswer;
    try {
      answer = await entry.task.answer(call, attempt, feed);
    } catch (error) {
      const summary = `${call.kind} (call ${key}) could not be answered: ${errorText(error)}`;
      answer = { end: { result: 'exception', summary } };
    }
    // The run is over, or begun anew in another thread that asks again.
    if (!this.#tasks.has(id) || entry.attempt !== attempt) return;
    if ('end' in answer) this.#finish(id, { report: answer.end });
    else this.#thread?.send({ type: 'answer', id, key, answer });
  }

  #finish(id: number, end: TaskEnd): void {
    const entry = this.#tasks.get(id);
    if (!entry) return;
    this.#tasks.delete(id);
    entry.feeds.end();
    if (this.#thread) {
      this.#left.set(id, entry.task.name());
      this.#thread.send({ type: 'drop', id });
    }
    this.#watch();
    entry.task.end(end);
  }

  /** The thread is gone: its guilty task ends, all others are begun again in a new one. */
  #startAnew({ mark, reason }: ThreadEnd): void {
    const { logger } = this.#options;
    logger.error(`${this.#nameOf(mark)} ${reason}; the thread is started anew`);
    this.#thread = undefined;
    const loading = this.#loading;
    const stillLoading = loading && mark !== MARK.loading && this.#loaded.get(loading.hash);
    this.#loaded = new Map();
    this.#loadCount = 0;
    const guilty = this.#tasks.get(mark);
    const isExplained = guilty !== undefined || this.#left.has(mark) || mark === MARK.loading;
    this.#left.clear();
    if (guilty) this.#finish(mark, { broken: `${guilty.task.noun}'s code ${reason}` });
    const bundle = loading && this.#bundles.get(loading.hash);
    if (stillLoading && bundle) {
      this.#loaded.set(loading.hash, stillLoading);
      this.#sendLoad(loading.hash, bundle);
    } else {
      loading?.shape.reject(new UserMistake(`the configuration ${reason} while it was loaded; correct it`));
    }
    for (const entry of Array.from(this.#tasks.values())) {
      if (!isExplained) entry.deaths += 1;
      if (entry.deaths < UNEXPLAINED_DEATHS) void this.#begin(entry.id);
      else {
        this.#finish(entry.id, {
          broken: `the thread of user code died ${UNEXPLAINED_DEATHS} times while ${entry.task.noun} was in it; the last: it ${reason}`,
        });
      }
    }
  }

  #nameOf(mark: number): string {
    const name = this.#tasks.get(mark)?.task.name() ?? this.#left.get(mark);
    if (name !== undefined) return name;
    return mark === MARK.loading ? 'the configuration that is loaded' : 'the code of a configuration';
  }

  #stepName({ configHash, project, builder, step, check }: StepRun): string {
    if (check) return 'canStartBuild';
    const shape = this.#shapes.get(configHash)?.projects.find(({ name }) => name === project);
    return shape?.builders.find(({ name }) => name === builder)?.steps[step]?.name ?? String(step);
  }
}

function refusal(mistakes: readonly string[]): UserMistake {
  const [first = 'refused', ...others] = mistakes;
  if (others.length === 0) return new UserMistake(first);
  const shown = mistakes.slice(0, 20).map((mistake) => `\n  ${mistake}`);
  return new UserMistake(`${mistakes.length} mistakes:${shown.join('')}`);
}
