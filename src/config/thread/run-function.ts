import { RESULTS } from '../../model/result.ts';
import type { Result } from '../../model/result.ts';
import type { StepReport } from '../code-host.ts';
import type { StepFunction } from '../step-context.ts';
import { isToRun, lastWords } from './ask-aside.ts';
import type { StepAsides } from './ask-aside.ts';
import type { OpenRun } from './open-run.ts';
import { reportOf } from './step-error.ts';
import { notAwaited, StepScope } from './step-scope.ts';
import { resolve } from '../steps/wanted.ts';

/**
 * Runs a step's function to its end, if it is to run; whatever comes of it is a report. What is asked before and after it has
 * calls and logs of its own, so that it moves none of the function's.
 */
export async function runFunction(fn: StepFunction, run: OpenRun, asides: StepAsides = {}): Promise<StepReport> {
  const report = await reported(async () => {
    if (!(await isToRun(new StepScope(run, 'if.', '-if'), asides))) return { result: 'skipped' };
    if (asides.description !== undefined) {
      const scope = new StepScope(run, 'description.', '-description');
      await scope.describe(await resolve(scope, asides.description));
    }
    const scope = new StepScope(run);
    const outcome: unknown = await fn(scope);
    if (scope.pending !== undefined) throw notAwaited(scope.pending);
    return reportOfOutcome(outcome);
  });
  const words = async (): Promise<StepReport> => ({
    ...report,
    ...(await lastWords(new StepScope(run, 'end.', '-end'), asides, report.result)),
  });
  return asides.hideIf === undefined && asides.descriptionDone === undefined ? report : await reported(words);
}

async function reported(what: () => Promise<StepReport>): Promise<StepReport> {
  try {
    return await what();
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
