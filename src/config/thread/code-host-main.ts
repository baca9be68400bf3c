import { parentPort, workerData } from 'node:worker_threads';
import type { CheckedBuilder } from '../config-schema.ts';
import type { StepRun } from '../code-host.ts';
import { answerQuestion, errorAnswer } from './answer-question.ts';
import { CodeMarks } from './code-marks.ts';
import { LoadedConfigs } from './loaded-configs.ts';
import type { BuilderDefaults } from './run-args.ts';
import { OpenRun } from './open-run.ts';
import { runFunction } from './run-function.ts';
import { detailOf, reportOf } from './step-error.ts';
import { MARK } from './thread-messages.ts';
import type { FromThread, ThreadData, ToThread } from './thread-messages.ts';

/** The thread of user code: loads bundles and runs the functions of steps, which ask the master by messages, and others that are asked. */
if (!parentPort) throw new Error('code-host-main is the entry of a worker thread');
const port = parentPort;
const send = (message: FromThread): void => port.postMessage(message);

process.setSourceMapsEnabled(true);
const marks = new CodeMarks(new Int32Array((workerData as ThreadData).shared));
const configs = new LoadedConfigs();
const runs = new Map<number, OpenRun>();
/** Questions that have no answer yet. */
const questions = new Set<number>();

port.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'ping':
      return marks.pong();
    case 'load':
      return void load(message.hash, message.bundle);
    case 'run':
      return void start(message.id, message.run);
    case 'ask':
      return void answer(message);
    case 'answer':
      return settle(message);
    case 'output':
      return void take(message);
    case 'drop':
      end(message.id);
      return send({ type: 'dropped', id: message.id });
  }
});
process.on('uncaughtException', (error) => blame(error, ''));
process.on('unhandledRejection', (error) => blame(error, 'a promise that nobody awaited was rejected: '));
send({ type: 'ready' });

async function load(hash: string, bundle: Uint8Array): Promise<void> {
  const loaded = await marks.enter(MARK.loading, () => configs.load(hash, bundle));
  send({ type: 'mistakes' in loaded ? 'refused' : 'loaded', hash, ...loaded } as FromThread);
}

async function start(id: number, { build, ...what }: StepRun): Promise<void> {
  const found = configs.find({ build, ...what });
  if (!found) {
    const fn = what.check ? 'canStartBuild' : `step ${what.step}`;
    const summary = `${what.project}/${what.builder} has no ${fn} in configuration ${what.configHash}`;
    return send({ type: 'report', id, report: { result: 'exception', summary } });
  }
  const { project, builder, fn, asides } = found;
  const run = new OpenRun(
    { ...build, source: { ...sourceOf(project.source), ...build.source } },
    what.step,
    { env: what.env ?? literalEnv(builder), ...(builder.logLimit !== undefined && { logLimit: builder.logLimit }) },
    (call) => send({ type: 'call', id, call }),
  );
  runs.set(id, run);
  const report = await marks.enter(id, () => runFunction(fn, run, asides));
  if (run.isOver) return;
  end(id);
  send({ type: 'report', id, report });
}

/** Lets the observer of a command have what it printed. */
async function take({ id, key, bytes }: Extract<ToThread, { readonly type: 'output' }>): Promise<void> {
  const run = runs.get(id);
  try {
    await marks.enter(id, () => run?.output(key, bytes));
    send({ type: 'taken', id, key });
  } catch (error) {
    failObserved(id, error);
  }
}

/** The observer of a command has its last line before the function has its answer. */
function settle({ id, key, answer }: Extract<ToThread, { readonly type: 'answer' }>): void {
  const run = runs.get(id);
  try {
    marks.enter(id, () => run?.endOutput(key));
  } catch (error) {
    failObserved(id, error);
  }
  run?.answer(key, answer);
}

/** What an observer throws ends its step. */
function failObserved(id: number, error: unknown): void {
  if (!runs.has(id)) return;
  end(id);
  send({ type: 'report', id, report: reportOf(error) });
}

async function answer({ id, configHash, place, args }: Extract<ToThread, { readonly type: 'ask' }>): Promise<void> {
  const fn = configs.findFunction(configHash, place);
  if (!fn) {
    return send({ type: 'answered', id, answered: { error: `configuration ${configHash} has no function ${place}` } });
  }
  questions.add(id);
  const answered = await marks.enter(id, () => answerQuestion(fn, args));
  if (questions.delete(id)) send({ type: 'answered', id, answered });
}

/** None where a function says it of each build. */
function literalEnv({ env = {} }: CheckedBuilder): BuilderDefaults['env'] {
  return typeof env === 'function' ? {} : env;
}

/** Where a build's code is, unless its request said otherwise. */
function sourceOf(source: { readonly url: string; readonly branch?: string | undefined } | undefined): {
  readonly repository?: string;
  readonly branch?: string;
} {
  if (!source) return {};
  return { repository: source.url, ...(source.branch !== undefined && { branch: source.branch }) };
}

function end(id: number): void {
  runs.get(id)?.end();
  runs.delete(id);
  questions.delete(id);
}

/** An error that no function caught ends the step or question it comes from; one of neither is only told. */
function blame(error: unknown, prefix: string): void {
  const id = marks.current();
  if (runs.has(id)) {
    end(id);
    send({ type: 'report', id, report: reportOf(error, prefix || 'not caught: ') });
  } else if (questions.delete(id)) {
    send({ type: 'answered', id, answered: errorAnswer(error, prefix || 'not caught: ') });
  } else {
    send({ type: 'stray', text: `${prefix}${error instanceof Error ? detailOf(error) : String(error)}` });
  }
}
