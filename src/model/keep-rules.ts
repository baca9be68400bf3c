import type { Result } from './result.ts';

/** How long, how many, how much of something is kept; what is beyond any of them goes. Absent: without end. */
export interface KeepRule {
  /** Since the end of its build, in ms. */
  readonly forMs?: number;
  /** Of the newest so many builds of each builder. */
  readonly last?: number;
  /** Of the whole project, as it lies on the disk; the newest stays. */
  readonly maxBytes?: number;
}

/** What a project keeps. A build that goes takes its logs and artifacts along. */
export interface KeepRules {
  readonly logs?: KeepRule;
  readonly artifacts?: KeepRule;
  readonly builds?: Omit<KeepRule, 'maxBytes'>;
}

/** A finished build, and what is still there of it. */
export interface KeptBuild {
  readonly id: number;
  readonly builder: string;
  readonly result: Result;
  readonly finishedAtMs: number;
  readonly hasLogs: boolean;
  readonly logBytes: number;
  readonly hasArtifacts: boolean;
  readonly artifactBytes: number;
}

export type Loss = 'build' | 'logs' | 'artifacts';

/**
 * Says what goes of a project's builds, which are shown to it one by one, the newest first. The newest build of each builder
 * and its newest good one (success or warnings) lose nothing, however old they are: people look for them, other builds take artifacts from them, and the
 * builder counts on from there. Age counts from the end of a build, so that what is built again for an old revision stays
 * (concourse#7951).
 */
export class Keeping {
  readonly #rules: KeepRules;
  readonly #nowMs: number;
  readonly #counts = new Map<string, number>();
  readonly #withGood = new Set<string>();
  #logBytes = 0;
  #artifactBytes = 0;

  constructor(rules: KeepRules, nowMs: number) {
    this.#rules = rules;
    this.#nowMs = nowMs;
  }

  lossesOf(build: KeptBuild): readonly Loss[] {
    const { builder, result, hasLogs, hasArtifacts, logBytes, artifactBytes } = build;
    const { builds, logs, artifacts } = this.#rules;
    const nth = (this.#counts.get(builder) ?? 0) + 1;
    this.#counts.set(builder, nth);
    const isNewestGood = (result === 'success' || result === 'warnings') && !this.#withGood.has(builder);
    if (isNewestGood) this.#withGood.add(builder);
    this.#logBytes += logBytes;
    this.#artifactBytes += artifactBytes;
    if (nth === 1 || isNewestGood) return [];
    if (this.#isBeyond(builds, build, nth, 0)) return ['build'];
    const losses: Loss[] = [];
    // What goes takes no room of what is older: of that the small ones may stay.
    if (hasLogs && this.#isBeyond(logs, build, nth, this.#logBytes)) {
      losses.push('logs');
      this.#logBytes -= logBytes;
    }
    if (hasArtifacts && this.#isBeyond(artifacts, build, nth, this.#artifactBytes)) {
      losses.push('artifacts');
      this.#artifactBytes -= artifactBytes;
    }
    return losses;
  }

  #isBeyond(rule: KeepRule | undefined, { finishedAtMs }: KeptBuild, nth: number, bytes: number): boolean {
    const { forMs = Infinity, last = Infinity, maxBytes = Infinity } = rule ?? {};
    return this.#nowMs - finishedAtMs > forMs || nth > last || bytes > maxBytes;
  }
}
