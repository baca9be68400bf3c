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
  /** It ended well, with neither a patch nor the source of a fork: its artifacts are those that other builds take. */
  readonly isGood: boolean;
  /** Its builder counts on from its number, or the build still runs that asked for it. */
  readonly isNeeded: boolean;
  readonly finishedAtMs: number;
  readonly hasLogs: boolean;
  readonly logBytes: number;
  readonly hasArtifacts: boolean;
  readonly artifactBytes: number;
}

export type Loss = 'build' | 'logs' | 'artifacts';

/**
 * Says what goes of a project's builds, which are shown to it one by one, the newest first. The newest build of each builder
 * and its newest good one lose nothing, however old they are: people look for them, other builds take artifacts from them, and the
 * builder counts on from there; nor does one that is needed still. Age counts from the end of a build, so that what is built again for an old revision stays
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
    const { builder, isGood, isNeeded, hasLogs, hasArtifacts, logBytes, artifactBytes } = build;
    const { builds, logs, artifacts } = this.#rules;
    const nth = (this.#counts.get(builder) ?? 0) + 1;
    this.#counts.set(builder, nth);
    const isNewestGood = isGood && !this.#withGood.has(builder);
    if (isNewestGood) this.#withGood.add(builder);
    const stays = nth === 1 || isNewestGood || isNeeded;
    // What goes takes no room of what is older: of that the small ones may stay.
    if (!stays && this.#isBeyond(builds, build, nth, 0)) return ['build'];
    this.#logBytes += logBytes;
    this.#artifactBytes += artifactBytes;
    if (stays) return [];
    const losses: Loss[] = [];
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
