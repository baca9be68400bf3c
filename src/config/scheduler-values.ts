import type { JsonObject } from '../model/json.ts';
import type { ParameterConfig } from './parameters/values.ts';
import type { ChangeFilterOptions } from './change-filter.ts';
import type { Duration } from './step-context.ts';

/** What schedulers are made of in a configuration. */
export type SchedulerConfig = ForceScheduler | TriggerableScheduler | TryScheduler | ChangeScheduler;

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

export interface ChangeScheduler extends ActingOptions, ChangeFilterOptions {
  readonly kind: 'onChange';
  readonly branch: NonNullable<ChangeFilterOptions['branch']>;
}
