import type { FileAnswer, RunAnswer } from '../../config/calls.ts';
import type { StepAnswer } from '../../config/code-host.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { exception } from './journal.ts';

/** What the step's function is told of a process. `captured`: the tail of its output, when it was wanted. */
export function runAnswer(outcome: Outcome, captured: string | undefined): StepAnswer {
  const { status, exitCode, signal, ended, message, startedAtMs, endedAtMs } = outcome;
  if (status === 'unknown') return unknown(message);
  const answer: RunAnswer = {
    // A worker answers a run with `done` only when it is not ours: it ran, and no more is known.
    status: status === 'done' ? 'exited' : status,
    ...(exitCode !== undefined && { exitCode }),
    ...(signal !== undefined && { signal }),
    ...(ended !== undefined && { ended }),
    ...(message !== undefined && { message }),
    startedAtMs,
    endedAtMs,
    ...(captured !== undefined && { captured }),
  };
  return { ok: answer };
}

/** What the step's function is told of a file operation. */
export function fileAnswer(kind: string, path: string, outcome: Outcome): StepAnswer {
  const { status, message, facts } = outcome;
  if (status === 'unknown') return unknown(message);
  if (status !== 'done') return { error: `${kind} ${path}: ${message ?? 'the worker refused it'}` };
  const size = facts?.['size'];
  const sha256 = facts?.['sha256'];
  const answer: FileAnswer = {
    ...(size !== undefined && { size: Number(size) }),
    ...(sha256 !== undefined && { sha256 }),
  };
  return { ok: answer };
}

function unknown(message: string | undefined): StepAnswer {
  return exception(`the outcome of the command is unknown: ${message ?? 'its worker lost sight of it'}`);
}
