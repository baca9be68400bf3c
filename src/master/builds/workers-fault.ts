import type { StepAnswer } from '../../config/code-host.ts';
import type { CommandRecord } from '../../model/command.ts';

/** Why a build's worker could not do what it was asked, by no fault of the build's; undefined when it could. */
export function faultIn(records: readonly CommandRecord[]): string | undefined {
  for (const { state, answer } of records) {
    if (state !== 'finished') continue;
    const { end } = answer as Partial<Extract<StepAnswer, { readonly end: unknown }>>;
    if (end?.isWorkersFault) return end.summary;
  }
  return undefined;
}
