/** What a configuration says of requests, as it is kept with its activation: whoever adds a build set reads it there. */
export type RequestRule =
  | { readonly noun: 'builder'; readonly project: string; readonly name: string; readonly rules: BuilderRules }
  | { readonly noun: 'scheduler'; readonly project: string; readonly name: string; readonly rules: SchedulerRules };

export interface BuilderRules {
  /** A new request ends those that wait for the same: they are built with it. */
  readonly collapses: boolean;
  /** A newer change of a branch cancels the requests of older ones. */
  readonly supersedes: Superseding;
  /** A request ends after so long in the queue; absent: it waits for ever. */
  readonly queueForMs?: number;
  /** Projects whose changes are built first. */
  readonly upstreams: readonly string[];
  /** A request is not built when what it waited for failed. */
  readonly needsUpstreams: boolean;
}

export interface SchedulerRules {
  readonly origin: Origin;
  /** Instead of the builders'. */
  readonly queueForMs?: number;
  /** The first failure of a build set cancels its other requests. */
  readonly cancelsRest: boolean;
}

/** Which requests of older changes a newer one cancels: none, those that wait, or also those that are being built. */
export type Superseding = 'never' | 'waiting' | 'running';

/** What a build set comes from: a change, a time or another set, a build that triggered it, or somebody who asked. */
export type Origin = 'change' | 'time' | 'build' | 'person';

export const BUILDER_RULES: BuilderRules = {
  collapses: false,
  supersedes: 'never',
  upstreams: [],
  needsUpstreams: false,
};
