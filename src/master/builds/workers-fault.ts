import type { StepAnswer } from '../../config/code-host.ts';
import type { CommandRecord } from '../../model/command.ts';

/** Why a build's worker could not do what it was asked, by no fault of the build's; undefined when it could. */
export function faultIn(records: readonly CommandRecord[]): string | undefined {
  for (const { answer } of records) {
    // The record of what a step's code threw has null for its answer.
    const { end } = (answer ?? {}) as Partial<Extract<StepAnswer, { readonly end: unknown }>>;
    if (end?.isWorkersFault) return end.summary;
  }
  return undefined;
}
