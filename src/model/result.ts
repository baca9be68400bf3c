/** Results of steps and builds, worst first: Buildbot's order, which users know. */
export const RESULTS = ['cancelled', 'retry', 'exception', 'failure', 'warnings', 'success', 'skipped'] as const;
export type Result = (typeof RESULTS)[number];

/** The worse of two results. */
export function worse(a: Result, b: Result): Result {
  return RESULTS.indexOf(a) <= RESULTS.indexOf(b) ? a : b;
}

/** How a step's result counts for its build. Absent flags are as in `STEP_RULES`. */
export interface StepRules {
  readonly haltOnFailure: boolean;
  readonly flunkOnFailure: boolean;
  readonly warnOnFailure: boolean;
  readonly flunkOnWarnings: boolean;
  readonly warnOnWarnings: boolean;
  /** Runs also after the build has been halted or stopped. */
  readonly alwaysRun: boolean;
}

/** A step that fails halts its build, which is what people expect; Buildbot's shell step does not (engine notes, 1.12). */
export const STEP_RULES: StepRules = {
  haltOnFailure: true,
  flunkOnFailure: true,
  warnOnFailure: false,
  flunkOnWarnings: false,
  warnOnWarnings: true,
  alwaysRun: false,
};

/** What a build has come to. */
export interface Standing {
  readonly result: Result;
  /** No later step runs but those marked `alwaysRun`. */
  readonly isHalted: boolean;
}

/** A build begins as success, so one whose steps were all skipped is a success. */
export const BEGUN: Standing = { result: 'success', isHalted: false };

/** What the build has come to with one more step. */
export function withStep({ result, isHalted }: Standing, step: Result, rules: StepRules): Standing {
  return { result: worse(result, contribution(step, rules)), isHalted: isHalted || halts(step, rules) };
}

function contribution(step: Result, rules: StepRules): Result {
  if (step === 'failure') return rules.flunkOnFailure ? 'failure' : rules.warnOnFailure ? 'warnings' : 'success';
  if (step === 'warnings') return rules.flunkOnWarnings ? 'failure' : rules.warnOnWarnings ? 'warnings' : 'success';
  return step;
}

function halts(step: Result, rules: StepRules): boolean {
  if (step === 'failure') return rules.haltOnFailure;
  return step === 'exception' || step === 'retry' || step === 'cancelled';
}

/** Exit status of a verb that waits for a build. */
export const EXIT_STATUS: Readonly<Record<Result, number>> = {
  success: 0,
  warnings: 0,
  skipped: 0,
  failure: 1,
  exception: 10,
  retry: 11,
  cancelled: 12,
};
