import type { ChangeFilter } from '../model/change-filter.ts';
import type { JsonObject } from '../model/json.ts';
import type { Parameter } from '../model/parameter.ts';
import type { SchedulerName } from '../model/scheduler.ts';
import type { CronRule } from './cron.ts';

/** A scheduler as plain data, checked: all that was left out is there. Times are ms. */
export type SchedulerShape =
  ForceShape | TriggerableShape | TryShape | OnChangeShape | AnyBranchShape | PeriodicShape | NightlyShape | AfterShape;

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

/** Of those that build changes. */
interface BuildingShape extends SchedulerBase {
  /** Which changes it wants. */
  readonly filter: ChangeFilter;
  /** Changes of a branch wait until no important one came for so long; absent: each important one is built at once. */
  readonly quietMs?: number;
  /** But no longer than this after the first important one. */
  readonly quietAtMostMs?: number;
  readonly onlyImportant: boolean;
}

export interface OnChangeShape extends BuildingShape {
  readonly kind: 'onChange';
}

export interface AnyBranchShape extends BuildingShape {
  readonly kind: 'anyBranch';
}

/** Of those that go by the clock. */
interface TimedBase extends SchedulerBase {
  /** Which changes count as such; of `branch` alone. */
  readonly filter: ChangeFilter;
  /** What it builds; absent: the default of the repository. */
  readonly branch?: string;
  readonly onlyIfChanged: boolean;
  readonly onlyImportant: boolean;
  readonly late: 'once' | 'skip';
}

export interface PeriodicShape extends TimedBase {
  readonly kind: 'periodic';
  readonly everyMs: number;
}

export interface NightlyShape extends TimedBase, CronRule {
  readonly kind: 'nightly';
  readonly forceAt?: string;
}

export interface AfterShape extends SchedulerBase {
  readonly kind: 'after';
  readonly upstream: SchedulerName;
}

export type QuietShape = OnChangeShape | AnyBranchShape;
export type TimedShape = PeriodicShape | NightlyShape;
/** Those that a change of the source is for. */
export type ListeningShape = QuietShape | TimedShape;

export function isListening(shape: SchedulerShape): shape is ListeningShape {
  if (shape.kind === 'periodic' || shape.kind === 'nightly') return shape.onlyIfChanged;
  return shape.kind === 'onChange' || shape.kind === 'anyBranch';
}
