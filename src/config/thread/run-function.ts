import { RESULTS } from '../../model/result.ts';
import type { Result } from '../../model/result.ts';
import type { StepReport } from '../code-host.ts';
import type { StepFunction } from '../step-context.ts';
import type { OpenRun } from './open-run.ts';
import { reportOf } from './step-error.ts';
import { notAwaited, StepScope } from './step-scope.ts';

/** Runs a step's function to its end; whatever comes of it is a report. */
export async function runFunction(fn: StepFunction, run: OpenRun): Promise<StepReport> {
  const scope = new StepScope(run);
  try {
    const outcome: unknown = await fn(scope);
    if (scope.pending !== undefined) throw notAwaited(scope.pending);
    return reportOfOutcome(outcome);
  } catch (error) {
    return reportOf(error);
  }
}

function reportOfOutcome(outcome: unknown): StepReport {
  if (outcome === undefined) return { result: 'success' };
  if (isResult(outcome)) return { result: outcome };
  if (typeof outcome === 'object' && outcome !== null && 'result' in outcome && isResult(outcome.result)) {
    const summary = 'summary' in outcome && typeof outcome.summary === 'string' ? outcome.summary : undefined;
    return { result: outcome.result, ...(summary !== undefined && { summary: summary.slice(0, 500) }) };
  }
  throw new TypeError(
    `the step's function returned ${JSON.stringify(outcome) ?? typeof outcome}; return nothing, or one of ${RESULTS.join(', ')}`,
  );
}

function isResult(value: unknown): value is Result {
  return RESULTS.some((result) => result === value);
}
