import type { JsonObject } from '../model/json.ts';
import type { ParameterConfig } from './parameters/values.ts';
import type { ChangeFilterOptions } from './change-filter.ts';
import type { Duration } from './step-context.ts';

/** What schedulers are made of in a configuration. */
export type SchedulerConfig =
  | ForceScheduler
  | TriggerableScheduler
  | TryScheduler
  | ChangeScheduler
  | AnyBranchScheduler
  | PeriodicScheduler
  | NightlyScheduler
  | AfterScheduler;

export interface SchedulerOptions {
  /** Default: the kind's word. Unique in its project: two of a kind need a name each. */
  readonly name?: string;
  /** Names of builders of the project; absent: all. */
  readonly builders?: readonly string[];
  /** Builds that it asks for begin with these; they win over those of a change. */
  readonly properties?: JsonObject;
  /** Of its requests, from -100 to 100; default 0. */
  readonly priority?: number;
}

/** Of the schedulers that act by themselves. */
export interface ActingOptions extends SchedulerOptions {
  /** Why its builds are made, instead of its own words. */
  readonly reason?: string;
  /** Instead of what the project says. */
  readonly cancelRestOnFailure?: boolean;
  /** Instead of what the builders say. */
  readonly queueFor?: Duration;
}

export interface ForceScheduler extends SchedulerOptions {
  readonly kind: 'force';
  /** What may, or must, be said of a build; absent: any property. */
  readonly parameters?: Readonly<Record<string, ParameterConfig>>;
  /** Nobody forces a build without saying why. */
  readonly reason?: 'required';
}

export interface TriggerableScheduler extends ActingOptions {
  readonly kind: 'triggerable';
  readonly name: string;
}

export interface TryScheduler extends SchedulerOptions {
  readonly kind: 'try';
}

/** Of those that build changes. */
export interface BuildingOptions extends ActingOptions, ChangeFilterOptions {
  /** Changes of a branch are built together when no important one came for so long; absent: each important one at once. */
  readonly quiet?: Duration;
  /** So long after the first one they are built all the same; default: never. */
  readonly quietAtMost?: Duration;
  /** Unimportant changes are left out, instead of built with the next important one. */
  readonly onlyImportant?: boolean;
}

export interface ChangeScheduler extends BuildingOptions {
  readonly kind: 'onChange';
  readonly branch: NonNullable<ChangeFilterOptions['branch']>;
}

export interface AnyBranchScheduler extends BuildingOptions {
  readonly kind: 'anyBranch';
}

/** Of those that go by the clock. */
export interface TimedOptions extends ActingOptions, Omit<ChangeFilterOptions, 'branch'> {
  /** The branch that is built; default: that of the project's source. */
  readonly branch?: string;
  /** Nothing is built when no important change of the branch came since the last time. */
  readonly onlyIfChanged?: boolean;
  readonly onlyImportant?: boolean;
  /** What becomes of times that passed while the master was down: one build for all of them (default), or none. */
  readonly late?: 'once' | 'skip';
}

export interface PeriodicScheduler extends TimedOptions {
  readonly kind: 'periodic';
  readonly every: Duration;
}

export interface NightlyScheduler extends TimedOptions {
  readonly kind: 'nightly';
  /** Five fields as in crontab(5). */
  readonly at: string;
  /** Times at which it builds also when nothing changed. */
  readonly forceAt?: string;
  /** Default UTC. */
  readonly zone?: string;
}

export interface AfterScheduler extends ActingOptions {
  readonly kind: 'after';
  /** `NAME` of the same project, or `PROJECT/NAME`. */
  readonly upstream: string;
}
