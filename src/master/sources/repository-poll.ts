import { join } from 'node:path';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { SourceRecord, Store } from '../../store/store.ts';
import type { SourceView } from '../views/source.ts';
import { gitAccess } from './git-access.ts';
import { Mirror } from './mirror.ts';
import { pollRepository } from './poll-repository.ts';
import type { PollOutcome, PollParts } from './poll-repository.ts';
import { isChanged, mirrorName } from './repository.ts';
import type { Repository } from './repository.ts';
import type { GitRunner } from './run-git.ts';
import { SourceError } from './source-error.ts';

export interface RepositoryPollOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The master's folder: files with secrets are relative to it. */
  readonly dir: string;
  readonly mirrorsDir: string;
  readonly take: PollParts['take'];
  readonly ask: PollParts['ask'];
  readonly git: GitRunner;
}

/** Of the time between two polls: so that repositories of one server are not all asked at once. */
const JITTER = 0.1;
/** A repository that fails is asked less and less often, until it is asked so often. */
const LONGEST_PAUSE_MS = 60 * 60_000;
/** What is overdue when the master starts is spread over so much. */
const START_SPREAD_MS = 5_000;

/** One repository: its polls, one at a time, and the time of the next. */
export class RepositoryPoll {
  readonly #options: RepositoryPollOptions;
  #repository: Repository;
  #record: SourceRecord | undefined;
  #underWay: Promise<PollOutcome> | undefined;
  /** For those who want one that begins after they asked. */
  #next: Promise<PollOutcome> | undefined;
  #timer: Cancel | undefined;
  #nextAtMs: number | undefined;
  readonly #stop = new AbortController();

  constructor(options: RepositoryPollOptions, repository: Repository, record: SourceRecord | undefined) {
    this.#options = options;
    this.#repository = repository;
    this.#record = record;
    const overdueMs = record ? record.polledAtMs + this.#pauseMs() - options.clock.now() : 0;
    this.#schedule(overdueMs > 0 ? Math.min(overdueMs, this.#pauseMs()) : Math.random() * this.#startSpreadMs());
  }

  get url(): string {
    return this.#repository.url;
  }

  /** Takes what the configuration says now. */
  change(repository: Repository): void {
    const isOther = isChanged(this.#repository, repository);
    // Builders of its projects may be others in any case.
    this.#repository = repository;
    if (isOther && !this.#underWay) this.#schedule(Math.random() * this.#startSpreadMs());
  }

  /** Resolves to what came of a poll that began after this was asked. */
  now(): Promise<PollOutcome> {
    if (!this.#underWay) return this.#begin();
    const last = this.#underWay;
    this.#next ??= last.then(nothing, nothing).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  view(record: SourceRecord | undefined): SourceView {
    const { url, projects, everyMs } = this.#repository;
    return {
      url,
      projects: projects.map(({ name }) => name),
      everyMs,
      isPolling: this.#underWay !== undefined,
      polledAtMs: record?.polledAtMs ?? null,
      nextAtMs: this.#nextAtMs ?? null,
      error: record?.error ?? null,
      errorSinceMs: record?.errorSinceMs ?? null,
      mirrorBytes: record?.mirrorBytes ?? 0,
    };
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stop.abort(new SourceError('stopped', 'it is not polled any more'));
    this.#timer?.();
    await this.#underWay?.catch(nothing);
  }

  #begin(): Promise<PollOutcome> {
    this.#timer?.();
    this.#nextAtMs = undefined;
    if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason as SourceError);
    this.#underWay = this.#poll().finally(() => {
      this.#underWay = undefined;
      this.#schedule(this.#pauseMs() * (1 + (Math.random() * 2 - 1) * JITTER));
    });
    return this.#underWay;
  }

  async #poll(): Promise<PollOutcome> {
    const { store, clock, logger, git, dir, mirrorsDir, take, ask } = this.#options;
    const { url, projects, access, mirrorLimitBytes: limitBytes } = this.#repository;
    const folder = join(mirrorsDir, mirrorName(url));
    let mirror: Mirror | undefined;
    try {
      const { signal } = this.#stop;
      mirror = new Mirror({ git, clock, url, folder, access: await gitAccess(dir, url, access), limitBytes, signal });
      const outcome = await pollRepository({ store: store.sources, mirror, projects, take, ask });
      await this.#note(undefined, mirror.bytes);
      if (outcome.leftOut > 0) {
        logger.warn('a poll found more commits than it tells of', { repository: url, leftOut: outcome.leftOut });
      }
      return outcome;
    } catch (error) {
      if (!(error instanceof SourceError && error.code === 'stopped')) {
        await this.#note(errorText(error), mirror?.bytes);
      }
      throw error;
    }
  }

  /** Keeps what came of it; the log is told when that is another thing than the last time. */
  async #note(error: string | undefined, bytes: number | undefined): Promise<void> {
    const { store, clock, logger } = this.#options;
    const { url } = this.#repository;
    const before = this.#record;
    const nowMs = clock.now();
    const failed = error !== undefined && {
      error,
      errorSinceMs: before?.error === undefined ? nowMs : (before.errorSinceMs ?? nowMs),
    };
    const failures = error === undefined ? 0 : (before?.failures ?? 0) + 1;
    const mirrorBytes = bytes ?? before?.mirrorBytes ?? 0;
    this.#record = { url, polledAtMs: nowMs, ...failed, failures, mirrorBytes };
    await store.sources.polled(this.#record);
    if (before?.error === error) return;
    if (error === undefined) logger.info('a repository can be polled again', { repository: url });
    else logger.warn('a repository cannot be polled; it is tried again', { repository: url, error });
  }

  #pauseMs(): number {
    const { everyMs } = this.#repository;
    return Math.min(everyMs * 2 ** Math.min(this.#record?.failures ?? 0, 30), Math.max(everyMs, LONGEST_PAUSE_MS));
  }

  #startSpreadMs(): number {
    return Math.min(START_SPREAD_MS, this.#repository.everyMs * JITTER);
  }

  #schedule(delayMs: number): void {
    this.#timer?.();
    if (this.#stop.signal.aborted) return;
    const { clock, logger } = this.#options;
    this.#nextAtMs = clock.now() + Math.round(delayMs);
    this.#timer = clock.after(delayMs, () => {
      this.now().catch((error: unknown) => {
        // The log has been told in `note`, once.
        logger.debug('a poll failed', { repository: this.url, error: errorText(error) });
      });
    });
  }
}

function nothing(): void {}
