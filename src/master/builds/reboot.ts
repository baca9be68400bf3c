import type { Clock } from '../../base/clock.ts';
import type { RebootArgs } from '../../config/calls.ts';
import type { StepAnswer } from '../../config/code-host.ts';
import { showDuration } from '../../config/duration.ts';
import type { Outcome } from '../../protocol/messages.ts';
import type { WorkerDesk } from '../link/desk.ts';
import { exception } from './journal.ts';

/** A shell's exit status for a command that was ended by signal N is this and N. */
const SIGNALLED = 128;

/** Resolves with the boot that the worker is attached on, once it is another than `before`; rejects with the signal's reason. */
export function untilBooted(
  desk: WorkerDesk,
  worker: string,
  before: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const bootId = desk.bootId(worker);
      if (bootId === undefined || bootId === before) return;
      offChange();
      signal.removeEventListener('abort', abort);
      resolve(bootId);
    };
    const abort = (): void => {
      offChange();
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    const offChange = desk.onChange((changed) => {
      if (changed === worker) look();
    });
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    look();
  });
}

export interface RebootOptions {
  readonly desk: WorkerDesk;
  readonly clock: Clock;
  readonly worker: string;
  readonly args: RebootArgs;
  /** Has the command done on the worker, while it is on the boot that is to end; an answer: it cannot even be asked for. */
  readonly run: (limit: AbortSignal) => Promise<Outcome | StepAnswer>;
  readonly signal: AbortSignal;
}

/**
 * Has a command restart the worker's machine, and waits for its next boot. However the command ended, the new boot counts; only
 * one that failed ends the wait before. Rejects with the signal's reason.
 */
export async function rebootMachine(options: RebootOptions): Promise<StepAnswer> {
  const { desk, clock, worker, args, run, signal } = options;
  const limit = new AbortController();
  const cancelLimit = clock.after(args.withinMs, () => {
    const present = desk.bootId(worker);
    // One that is back has all the time it needs to send what the command wrote.
    if (present === undefined || present === args.bootId) limit.abort(new Error('the time to restart is over'));
  });
  let outcome: Outcome | undefined;
  try {
    const ended = await run(limit.signal);
    if (!('status' in ended)) return ended;
    outcome = ended;
    const fault = faultOf(outcome);
    const before = fault === undefined ? args.bootId : undefined;
    const bootId = await untilBooted(desk, worker, before, AbortSignal.any([signal, limit.signal]));
    return bootId === args.bootId ? { error: `reboot: ${fault}` } : { ok: null };
  } catch (error) {
    if (!limit.signal.aborted || signal.aborted) throw error;
    return notBack(worker, showDuration(args.withinMs), desk.bootId(worker) !== undefined, outcome);
  } finally {
    cancelLimit();
  }
}

/** Undefined when the restart may be under way: the machine's end cuts commands off, and some only order the restart. */
function faultOf({ status, exitCode = 0, message }: Outcome): string | undefined {
  if (status === 'refused') return message ?? 'the worker refused the command';
  return status === 'exited' && exitCode > 0 && exitCode <= SIGNALLED ? `exit ${exitCode}` : undefined;
}

function notBack(worker: string, time: string, isHere: boolean, outcome: Outcome | undefined): StepAnswer {
  if (!isHere) return exception(`worker ${worker} was not back within ${time} of the order to restart its machine`);
  const end = outcome ? `ended (${endText(outcome)})` : 'has not ended';
  return exception(
    `the machine of worker ${worker} is still the same boot ${time} after the order: its command ${end}`,
  );
}

function endText({ status, exitCode, signal, message }: Outcome): string {
  if (status === 'exited') return `exit ${exitCode ?? '?'}`;
  return status === 'signalled' ? `killed by ${signal ?? 'a signal'}` : (message ?? status);
}
