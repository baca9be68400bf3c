import type { CanStartBuild, CheckContext } from '../chooser-context.ts';
import type { CheckFacts } from '../function-facts.ts';
import type { StepFunction } from '../step-context.ts';

/** Below the size from which a log goes to the archive: of a check nothing is kept. */
const LOG_LIMIT = '64KB';
const TEXT_CHARACTERS = 500;

/** `canStartBuild` as a step: success is a yes, skipped a no with its words. */
export function checkFunction(canStartBuild: CanStartBuild, { request, worker }: CheckFacts): StepFunction {
  return async (step) => {
    const ctx: CheckContext = {
      request,
      worker,
      run: (command, options) => step.run(command, { ...options, logLimit: LOG_LIMIT }),
      now: () => step.now(),
    };
    const said: unknown = await canStartBuild(ctx);
    if (said === true) return 'success';
    if (said === false) return { result: 'skipped', summary: '' };
    if (typeof said === 'string') return { result: 'skipped', summary: said.slice(0, TEXT_CHARACTERS) };
    throw new TypeError(
      `canStartBuild returned ${JSON.stringify(said) ?? typeof said}; return true, false, or a text that says why not`,
    );
  };
}
