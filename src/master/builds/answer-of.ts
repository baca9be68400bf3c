import type { FileAnswer, RunAnswer } from '../../config/calls.ts';
import type { StepAnswer } from '../../config/code-host.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { exception } from './journal.ts';

const LEASE_OVER = 'the worker was out of sight for too long and ended the command';

/** What the step's function is told of a process of a worker. `captured`: the tail of its output, when it was wanted. */
export function runAnswer(outcome: Outcome, captured: string | undefined, worker: string): StepAnswer {
  const { status, exitCode, signal, ended, message, facts, startedAtMs, endedAtMs } = outcome;
  const fault = workersFault(outcome, worker);
  if (fault) return fault;
  if (status === 'unknown' && facts?.['lostBy'] === 'reboot') {
    return exception(`the machine of worker ${worker} was restarted while the command ran: how far it came is unknown`);
  }
  if (status === 'unknown') return unknown(message);
  // The worker took it that the master had given the build up: it is done again, here or elsewhere.
  if (ended === 'deadline') return { end: { result: 'retry', summary: LEASE_OVER } };
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

/** The worker could not even begin, by no fault of the command's: the build is not told that it failed. */
export function workersFault({ status, fault, message }: Outcome, worker: string): StepAnswer | undefined {
  if (status !== 'refused' || fault === undefined) return undefined;
  const summary = `worker ${worker} could not run the command: ${message ?? 'it does not say why'}`;
  return { end: { result: 'exception', summary, isWorkersFault: true } };
}

/** The step asked for output whose end may be missing: how the command ended is known, but not what it said. */
export function captureLost({ status, exitCode, signal, cut, message }: Outcome): StepAnswer | undefined {
  if (status === 'unknown' || cut !== 'lost') return undefined;
  const how = status === 'signalled' ? `was ended by ${signal ?? 'a signal'}` : `exited with ${exitCode ?? '?'}`;
  return exception(
    `the command ${how}, but its output, which the step asked for, is incomplete: ${message ?? 'the worker lost its end'}`,
  );
}

/** What the step's function is told of a file operation. */
export function fileAnswer(kind: string, path: string, outcome: Outcome, worker: string): StepAnswer {
  const { status, message, facts } = outcome;
  const fault = workersFault(outcome, worker);
  if (fault) return fault;
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
