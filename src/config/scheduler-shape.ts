import type { ChangeFilter } from '../model/change-filter.ts';
import type { JsonObject } from '../model/json.ts';
import type { Parameter } from '../model/parameter.ts';

/** A scheduler as plain data, checked: all that was left out is there. Times are ms. */
export type SchedulerShape = ForceShape | TriggerableShape | TryShape | OnChangeShape;

interface SchedulerBase {
  /** Unique in its project; written `PROJECT/NAME`. */
  readonly name: string;
  /** Names of builders of the project, in its order. */
  readonly builders: readonly string[];
  readonly properties: JsonObject;
  readonly priority: number;
  /** Instead of its own words. */
  readonly reason?: string;
  /** The first failure of one of its build sets cancels the rest; absent: as the project says. */
  readonly cancelsRest?: boolean;
  /** Instead of the builders'. */
  readonly queueForMs?: number;
}

export interface ForceShape extends SchedulerBase {
  readonly kind: 'force';
  /** In the order in which they are shown; absent: any property may be given. */
  readonly parameters?: readonly Parameter[];
  readonly isReasonRequired?: true;
}

export interface TriggerableShape extends SchedulerBase {
  readonly kind: 'triggerable';
}

export interface TryShape extends SchedulerBase {
  readonly kind: 'try';
}

export interface OnChangeShape extends SchedulerBase {
  readonly kind: 'onChange';
  /** Which changes it wants. */
  readonly filter: ChangeFilter;
}

/** Those that a change of the source sets off. */
export type ChangeSchedulerShape = OnChangeShape;
