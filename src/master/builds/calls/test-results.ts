import { open, rm } from 'node:fs/promises';
import type { Clock } from '../../../base/clock.ts';
import type { TestsAnswer, TestsArgs } from '../../../config/calls.ts';
import type { BuildFacts } from '../../../config/code-host.ts';
import { showSize } from '../../../base/size.ts';
import type { Build } from '../../../model/build.ts';
import type { Log } from '../../../model/log.ts';
import { verdictOf } from '../../../model/test-history.ts';
import { NO_TESTS, isFailing, totalOf } from '../../../model/test-result.ts';
import type { TestCounts, TestResult } from '../../../model/test-result.ts';
import { TEST_FILE_BYTES } from '../../../model/test-limits.ts';
import type { Store } from '../../../store/store.ts';
import type { TestCall, TestLane } from '../../../store/test-result-store.ts';
import { fetchedPath } from '../../files/fetched-file.ts';
import { readTestFile } from '../../test-results/read-test-file.ts';
import { commandId } from '../journal.ts';
import type { Performed } from '../journal.ts';

export interface TestTools {
  readonly store: Store;
  readonly clock: Clock;
  readonly folders: { readonly filesDir: string };
}

/** Which step of which build makes the call, by what name. */
export interface TestCaller {
  readonly build: Build;
  readonly step: { readonly index: number; readonly name: string };
  readonly command: string;
  /** What the build built, as far as it is known. */
  readonly revision: string | undefined;
  /** What is kept goes through it. */
  readonly redact: <T>(value: T) => T;
}

/** Of one build. Those beyond are counted alone, but for failing ones. */
const KEPT = 200_000;
/** Failing ones that are kept beyond these. */
const KEPT_FAILING = 10_000;
/** So many failures are looked up in the builds before. */
const LOOKED_UP = 1_000;
const PROBLEMS = 20;

interface Source {
  /** As the step knows it. */
  readonly name: string;
  readonly file: string;
}

/**
 * Does what a call `testResults` asks: reads each file to its end or to where it is no such file any more, and keeps what it tells.
 * Made again it reads the same again, and what is kept already stays. Rejects with the signal's reason.
 */
export async function takeTestResults(
  tools: TestTools,
  caller: TestCaller,
  args: TestsArgs,
  signal: AbortSignal,
): Promise<Performed> {
  const { store, clock, folders } = tools;
  const { build, step, command, revision, redact } = caller;
  const call: TestCall = { command, buildId: build.id, step: step.index };
  const keeping = await Keeping.open(store, call, laneOf(build));
  const problems: string[] = [];
  const read = async ({ name, file }: Source): Promise<void> => {
    const data = { file, format: args.format };
    const problem = await readTestFile(clock, data, (results) => keeping.take(redact(results)), signal);
    if (problem !== undefined && problems.length < PROBLEMS) problems.push(`${name}: ${problem}`);
  };
  if ('files' in args.from) {
    for (const { path, call: key } of args.from.files) {
      const id = commandId(build.uid, step.index, key);
      await read({ name: path, file: fetchedPath(folders.filesDir, id) });
    }
  } else {
    const log = await findLog(store, build.id, step, args.from);
    if (typeof log === 'string') return { answer: { error: log } };
    const file = fetchedPath(folders.filesDir, command);
    try {
      await copyLog(store, log, file);
      await read({ name: `the log ${log.name}`, file });
    } finally {
      await rm(file, { force: true });
    }
  }
  const { counts, leftOut } = keeping;
  const answer: TestsAnswer = { counts, newlyFailed: await newlyFailed(store, build.id, command), leftOut, problems };
  return {
    answer: { ok: answer },
    also: () => store.tests.addReport({ ...call, counts, leftOut, ...(revision !== undefined && { revision }) }),
  };
}

/** What is kept of a call's results, while they come. */
class Keeping {
  readonly #store: Store;
  readonly #call: TestCall;
  readonly #lane: TestLane;
  #room: number;
  #roomForFailing = KEPT_FAILING;
  #kept = 0;
  counts: TestCounts = NO_TESTS;
  leftOut = 0;

  private constructor(store: Store, call: TestCall, lane: TestLane, room: number) {
    this.#store = store;
    this.#call = call;
    this.#lane = lane;
    this.#room = room;
  }

  static async open(store: Store, call: TestCall, lane: TestLane): Promise<Keeping> {
    const before = await store.tests.reports(call.buildId);
    const kept = before.reduce((sum, { counts, leftOut }) => sum + totalOf(counts) - leftOut, 0);
    return new Keeping(store, call, lane, Math.max(0, KEPT - kept));
  }

  async take(results: readonly TestResult[]): Promise<void> {
    let { passed, failed, errors, skipped } = this.counts;
    for (const { state } of results) {
      if (state === 'passed') passed += 1;
      else if (state === 'failed') failed += 1;
      else if (state === 'error') errors += 1;
      else skipped += 1;
    }
    this.counts = { passed, failed, errors, skipped };
    const kept = results.filter(({ state }) => this.#hasRoom(isFailing(state)));
    this.leftOut += results.length - kept.length;
    if (kept.length === 0) return;
    await this.#store.tests.add(this.#call, this.#lane, this.#kept, kept);
    this.#kept += kept.length;
  }

  #hasRoom(fails: boolean): boolean {
    if (this.#room > 0) this.#room -= 1;
    else if (fails && this.#roomForFailing > 0) this.#roomForFailing -= 1;
    else return false;
    return true;
  }
}

/** By what its steps found out, or by what it was asked for. With a patch on top it is no revision. */
export function builtRevision({ source }: Build, { properties }: BuildFacts): string | undefined {
  const { got_revision: got } = properties;
  return source.patch ? undefined : typeof got === 'string' ? got : source.revision;
}

function laneOf({ project, builder, source }: Build): TestLane {
  const isAside = source.patch !== undefined || source.untrustedOf !== undefined;
  return { project, builder, branch: source.branch, isAside };
}

async function newlyFailed(store: Store, buildId: number, command: string): Promise<number> {
  const failing = await store.tests.list(buildId, { which: 'failing', after: 0, limit: LOOKED_UP, command });
  const history = await store.tests.history([...new Set(failing.map(({ identity }) => identity))], buildId);
  return [...history.values()].filter((past) => verdictOf(past).isNew).length;
}

async function findLog(
  store: Store,
  buildId: number,
  own: TestCaller['step'],
  from: { readonly log: string; readonly step?: string },
): Promise<Log | string> {
  const { log: name, step = own.name } = from;
  const steps = await store.builds.steps(buildId);
  const index = from.step === undefined ? own.index : steps.findLast((one) => one.name === step)?.index;
  if (index === undefined) return `testResults: the build has no step ${JSON.stringify(step)}`;
  const log = (await store.logs.list(buildId)).find((one) => one.step === index && one.name === name);
  if (!log) return `testResults: the step ${JSON.stringify(step)} has no log ${JSON.stringify(name)}`;
  if (log.length <= TEST_FILE_BYTES) return log;
  return `testResults: the log ${JSON.stringify(name)} has ${log.length} bytes; at most ${showSize(TEST_FILE_BYTES)} are read`;
}

async function copyLog(store: Store, log: Log, file: string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    for await (const piece of store.logs.read(log.id, 0, log.length)) await handle.write(piece);
  } finally {
    await handle.close();
  }
}
