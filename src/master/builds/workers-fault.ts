import type { StepAnswer } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { CommandRecord } from '../../model/command.ts';
import { isForAll } from '../queue/may-be-named.ts';

/** Why a build's worker could not do what it was asked, by no fault of the build's; undefined when it could. */
export function faultIn(records: readonly CommandRecord[]): string | undefined {
  for (const { answer } of records) {
    // The record of what a step's code threw has null for its answer.
    const { end } = (answer ?? {}) as Partial<Extract<StepAnswer, { readonly end: unknown }>>;
    if (end?.isWorkersFault) return end.summary;
  }
  return undefined;
}

/**
 * What of it is told with the worker, to everybody: a worker's words name folders and programs, and with them the project. `where`
 * those who may read of that find the words.
 */
export function faultForAll(fault: string, where: string, project: string, config: ConfigShape | undefined): string {
  return config && isForAll(project, config) ? fault : `${where} says which`;
}
