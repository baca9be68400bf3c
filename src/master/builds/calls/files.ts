import { chmod, readFile, utimes } from 'node:fs/promises';
import { errorText } from '../../../base/errors.ts';
import type { GetArgs, StatAnswer } from '../../../config/calls.ts';
import type { StepAnswer, StepCall } from '../../../config/code-host.ts';
import type { Build } from '../../../model/build.ts';
import type { Outcome } from '../../../protocol/messages.ts';
import { fetchedPath } from '../../files/fetched-file.ts';
import { fileAnswer } from '../answer-of.ts';
import { keepArtifact } from './artifacts.ts';
import type { Redactor } from '../../secrets/build-secrets.ts';
import type { BuildTools } from '../build-tools.ts';
import type { Performed } from '../journal.ts';
import { onMaster } from '../worker-command.ts';
import type { WorkerCall } from '../worker-command.ts';

export interface FileCallContext {
  readonly tools: Pick<BuildTools, 'folders' | 'store' | 'clock'>;
  readonly build: Build;
  readonly step: { readonly index: number };
  readonly secrets: Pick<Redactor, 'text'>;
}

const TYPES: readonly StatAnswer['type'][] = ['file', 'folder', 'link', 'other', 'none'];

/** Its file is kept until the step is over. */
export function isFetched(call: StepCall): boolean {
  return call.kind === 'glob' || call.kind === 'keep' || (call.kind === 'get' && call.args.file === undefined);
}

/** What the step is told when the worker has ended a call about files, and what the master still does for it. */
export async function endOfFileCall(
  call: Exclude<WorkerCall, { readonly kind: 'run' }>,
  command: string,
  outcome: Outcome,
  context: FileCallContext,
): Promise<Performed> {
  const { tools, build } = context;
  const answer = fileAnswer(call.kind, call.args.path, outcome, build.worker);
  if (!('ok' in answer)) return { answer };
  try {
    if (call.kind === 'keep') {
      return await keepArtifact(tools, context, call.args, fetchedPath(tools.folders.filesDir, command));
    }
    return { answer: (await furtherAnswer(call, command, outcome, tools)) ?? answer };
  } catch (error) {
    return { answer: { error: `${call.kind} ${call.args.path}: ${errorText(error)}` } };
  }
}

async function furtherAnswer(
  call: Exclude<WorkerCall, { readonly kind: 'run' }>,
  command: string,
  outcome: Outcome,
  { folders }: FileCallContext['tools'],
): Promise<StepAnswer | undefined> {
  if (call.kind === 'stat') return { ok: statAnswer(outcome.facts ?? {}) };
  if (call.kind === 'glob') return { ok: await readList(fetchedPath(folders.filesDir, command)) };
  if (call.kind === 'get' && call.args.file !== undefined) {
    await setAttributes(onMaster(call.args.file, folders), call.args, outcome.facts ?? {});
  }
  return undefined;
}

function statAnswer(facts: Readonly<Record<string, string>>): StatAnswer {
  const type = TYPES.find((one) => one === facts['type']);
  if (type === undefined) throw new Error('the worker does not say what is there');
  if (type === 'none') return { type };
  const { size, mode, mtimeMs } = facts;
  return { type, size: numberOf(size, 10), mode: numberOf(mode, 8), mtimeMs: numberOf(mtimeMs, 10) };
}

function numberOf(text: string | undefined, radix: number): number {
  const number = Number.parseInt(text ?? '', radix);
  if (Number.isSafeInteger(number)) return number;
  throw new Error(`the worker tells ${JSON.stringify(text)} where a number is meant`);
}

/** The worker may be anybody's: its paths become names on the master's disk. */
async function readList(file: string): Promise<readonly string[]> {
  const paths = (await readFile(file, 'utf8')).split('\0').slice(0, -1);
  for (const path of paths) {
    const names = path.split('/');
    if (names.some((name) => name === '' || name === '.' || name === '..')) {
      throw new Error(`the worker lists ${JSON.stringify(path)}, which is no path in the build's folder`);
    }
  }
  return paths;
}

async function setAttributes(file: string, { mode, keepsStamp }: GetArgs, facts: Outcome['facts'] = {}): Promise<void> {
  if (mode !== undefined) await chmod(file, mode);
  if (keepsStamp) {
    const seconds = numberOf(facts['mtimeMs'], 10) / 1_000;
    await utimes(file, seconds, seconds);
  }
}
