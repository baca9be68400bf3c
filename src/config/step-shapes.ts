import { STEP_RULES } from '../model/result.ts';
import type { StepRules } from '../model/result.ts';
import { fingerprintOf } from './fingerprint.ts';
import { accessShapes } from './lock-shapes.ts';
import type { StepShape } from './shape.ts';
import type { CheckedStep } from './step-schema.ts';

/** What the master knows of steps. A name that is there already gets `-2`, `-3`, …: steps are asked for by name. */
export function stepShapes(steps: readonly CheckedStep[]): StepShape[] {
  const taken = new Set<string>();
  return steps.map((step) => {
    let unique = step.name;
    for (let n = 2; taken.has(unique); n++) unique = `${step.name}-${n}`;
    taken.add(unique);
    return { ...stepShape(step), name: unique };
  });
}

function stepShape({
  name,
  rules,
  locks,
  made,
  run,
  doIf,
  hideIf,
  description,
  descriptionDone,
}: CheckedStep): StepShape {
  return {
    name,
    rules: completeRules(rules),
    // One that never runs waits for nothing.
    locks: doIf === false ? [] : accessShapes(locks),
    ...(hideIf === true && { isHidden: true }),
    fingerprint: fingerprintOf([made ?? run, doIf, hideIf, description, descriptionDone]),
  };
}

function completeRules(given: CheckedStep['rules']): StepRules {
  return {
    haltOnFailure: given.haltOnFailure ?? STEP_RULES.haltOnFailure,
    flunkOnFailure: given.flunkOnFailure ?? STEP_RULES.flunkOnFailure,
    warnOnFailure: given.warnOnFailure ?? STEP_RULES.warnOnFailure,
    flunkOnWarnings: given.flunkOnWarnings ?? STEP_RULES.flunkOnWarnings,
    warnOnWarnings: given.warnOnWarnings ?? STEP_RULES.warnOnWarnings,
    alwaysRun: given.alwaysRun ?? STEP_RULES.alwaysRun,
  };
}
