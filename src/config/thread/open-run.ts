import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import type { KnownCall } from '../calls.ts';
import type { BuildFacts, StepAnswer, StepCall } from '../code-host.ts';
import { Observer } from './observer.ts';
import type { BuilderDefaults } from './run-args.ts';
import { StepFailure } from './step-error.ts';

const CALLS = 100_000;
const LINKS = 100;

/** One run of a step's function in this thread: its calls on the way, and what its contexts share. */
export class OpenRun {
  readonly build: BuildFacts;
  readonly given: BuilderDefaults;
  /** Unlike that of any other step of any build. */
  readonly place: string;
  readonly #send: (call: StepCall) => void;
  readonly #waiting = new Map<string, Deferred<Json>>();
  /** Who reads the output of calls that are under way. */
  readonly #observers = new Map<string, Observer>();
  readonly #logs = new Set<string>();
  readonly #links = new Set<string>();
  readonly #properties: Map<string, Json>;
  #calls = 0;
  #isOver = false;

  constructor(build: BuildFacts, step: number, given: BuilderDefaults, send: (call: StepCall) => void) {
    this.build = build;
    this.given = given;
    this.place = `${build.uid}.${step}`;
    this.#send = send;
    this.#properties = new Map(Object.entries(build.properties));
  }

  /** Sends a call; the promise stays open for ever once the run is over. */
  call(key: string, call: KnownCall): Promise<Json> {
    this.#calls += 1;
    if (this.#calls > CALLS) throw new RangeError(`the step made more than ${CALLS} calls; split it`);
    const answer = deferred<Json>();
    if (this.#isOver) return answer.promise;
    this.#waiting.set(key, answer);
    this.#send({ ...call, key });
    return answer.promise;
  }

  answer(key: string, answer: StepAnswer): void {
    const waiting = this.#waiting.get(key);
    if (!waiting || 'end' in answer) return;
    this.#waiting.delete(key);
    if ('ok' in answer) waiting.resolve(answer.ok);
    else waiting.reject(new StepFailure(answer.error));
  }

  /** Before the call is made. */
  observe(key: string, onLine: (line: string) => void): void {
    this.#observers.set(key, new Observer(onLine));
  }

  /** Rejects with what the observer throws. */
  async output(key: string, bytes: Uint8Array): Promise<void> {
    await this.#observers.get(key)?.take(bytes, () => !this.#isOver);
  }

  /** All of it was there. Throws the same. */
  endOutput(key: string): void {
    this.#observers.get(key)?.end();
    this.#observers.delete(key);
  }

  /** No call of it is answered any more. */
  end(): void {
    this.#isOver = true;
    this.#waiting.clear();
    this.#observers.clear();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A log is filled by one call. */
  takeLog(name: string): void {
    if (this.#logs.has(name)) throw new Error(`the step has a log ${JSON.stringify(name)} already; name it otherwise`);
    this.#logs.add(name);
  }

  takeLink(name: string): void {
    this.#links.add(name);
    if (this.#links.size > LINKS) throw new RangeError(`the step has more than ${LINKS} links; write them into a log`);
  }

  property(name: string): Json | undefined {
    return this.#properties.get(name);
  }

  /** A copy: what is set later does not show in it. */
  get properties(): JsonObject {
    return Object.fromEntries(this.#properties);
  }

  setProperty(name: string, value: Json): void {
    this.#properties.set(name, value);
  }
}

/** A copy that is JSON and nothing else. */
export function toJson(value: unknown, what: string): Json {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`${what} is ${typeof value}; it must be something that JSON can hold`);
  return JSON.parse(text) as Json;
}
