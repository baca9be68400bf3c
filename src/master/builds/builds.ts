import type { Cancel } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import { isBeingChecked } from '../../model/build.ts';
import type { Build } from '../../model/build.ts';
import { clockSeconds } from '../queue/clock-time.ts';
import type { Complaints } from '../queue/complaints.ts';
import type { Vetoes } from '../queue/vetoes.ts';
import { BuildRun } from './build-run.ts';
import { workerRevoked } from './forced-end.ts';
import type { Away } from './lost-watch.ts';
import type { BuildTools } from './build-tools.ts';
import { ownEnv } from './own-env.ts';
import { StartCheck } from './start-check.ts';
import type { StartCheckOptions } from './start-check.ts';

export interface BuildsOptions extends BuildTools {
  /** The configuration a build keeps. */
  readonly configOf: (hash: string) => Promise<ConfigShape>;
  /** False for a worker whose name was withdrawn: no build goes on there. */
  readonly isAdmitted: (worker: string) => boolean;
  /** Where it goes that a build may not start on some worker for a while. */
  readonly vetoes: Pick<Vetoes, 'add'>;
  readonly complaints: Complaints;
}

type Running = Pick<BuildRun, 'stop' | 'retire' | 'endNow' | 'away' | 'detach'>;

interface Entry {
  readonly worker: string;
  run: Running | undefined;
  readonly stops: string[];
  isStopping: boolean;
}

/** A build whose store or configuration failed is taken up again after so long. */
const TRY_AGAIN_MS = 30_000;

/** All running builds of this master. */
export class Builds {
  readonly #options: BuildsOptions;
  readonly #running = new Map<number, Entry>();
  readonly #underWay = new Set<Promise<void>>();
  /** Builds that are tried again later. */
  readonly #retries = new Map<number, Cancel>();
  #retiring: ReadonlySet<string> = new Set();
  /** Aborts what builds ask before they begin. */
  readonly #closing = new AbortController();
  #isClosed = false;

  constructor(options: BuildsOptions) {
    this.#options = options;
  }

  /** At the start of the master: goes on with what the store says is running. */
  async adopt(): Promise<void> {
    for (const build of await this.#options.store.builds.running()) this.start(build);
  }

  /** Runs a build that the store has as running. */
  start(build: Build): void {
    if (this.#isClosed || this.#running.has(build.id)) return;
    this.#running.set(build.id, {
      worker: build.worker,
      run: undefined,
      stops: [],
      isStopping: build.stopReason !== undefined,
    });
    const underWay = this.#run(build).finally(() => this.#underWay.delete(underWay));
    this.#underWay.add(underWay);
  }

  /** Asks for the end of a running build; a second time also for the end of its cleaning up. False when it has ended already. */
  async stop(id: number, reason: string): Promise<boolean> {
    const { store, clock } = this.#options;
    if (!(await store.builds.requestStop(id, reason, clock.now()))) return false;
    this.#stopNow(id, reason);
    return true;
  }

  /** The store has it that a build is to end, for a reason of its own: sees to it, if it is not ending already. */
  heed(id: number, reason: string): void {
    if (this.#running.get(id)?.isStopping) return;
    this.#stopNow(id, reason);
  }

  #stopNow(id: number, reason: string): void {
    const running = this.#running.get(id);
    if (running) running.isStopping = true;
    running?.stops.push(reason);
    running?.run?.stop(reason);
    // One that could not go on is to end now, not at its next try.
    if (this.#retries.has(id)) this.#startAgain(id);
    this.#options.bus.publish('builds', id);
  }

  /** The worker was withdrawn, which the store says already: its builds end now, wherever it is. */
  revoked(worker: string): void {
    for (const entry of this.#running.values()) if (entry.worker === worker) entry.run?.endNow(workerRevoked(worker));
    for (const id of this.#retries.keys()) this.#startAgain(id);
  }

  /**
   * The workers whose builds are not waited for. Each is ended on its worker before it is retried; one whose worker is away
   * is so when the worker counts as lost.
   */
  retire(workers: ReadonlySet<string>): void {
    const isNew = [...workers].some((worker) => !this.#retiring.has(worker));
    this.#retiring = workers;
    for (const entry of this.#running.values()) if (workers.has(entry.worker)) entry.run?.retire();
    if (isNew) for (const id of this.#retries.keys()) this.#startAgain(id);
  }

  /** Of a running build whose worker is out of sight; undefined of all others. */
  away(id: number): Away | undefined {
    return this.#running.get(id)?.run?.away();
  }

  /** Lets go of all of them: they go on at their workers, and are adopted at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    for (const cancel of this.#retries.values()) cancel();
    for (const { run } of this.#running.values()) run?.detach();
    await Promise.all(this.#underWay);
  }

  async #run(build: Build): Promise<void> {
    const { bus, logger } = this.#options;
    const publish = (): void => bus.publish('builds', build.id);
    try {
      const config = await this.#configOf(build);
      const ready = isBeingChecked(build) ? await this.#check(build, config) : build;
      if (!ready) return;
      const builder = config && findBuilder(config, build);
      const { signal } = this.#closing;
      const env = config && builder && (await ownEnv(this.#options, ready, config, builder, signal));
      if (this.#isClosed) return;
      if (env && 'error' in env) this.#options.complaints.tell(`env of ${build.project}/${build.builder}`, env.error);
      const run = new BuildRun({
        tools: this.#options,
        build: ready,
        config,
        builder,
        env,
        onProgress: publish,
      });
      this.#enter(build, run);
      if (this.#isClosed) return;
      publish();
      const isFinished = await run.run();
      this.#running.delete(build.id);
      if (!isFinished) return;
      // Its own last fence: another build may sit there by now.
      const ended = await this.#options.store.builds.find(build.id);
      if (ended) this.#options.desk.idleSeat(ended.worker, ended.session, ended.fence);
      publish();
      // Its request has ended, and its worker has room for another.
      bus.publish('requests', build.requestId);
    } catch (error) {
      this.#running.delete(build.id);
      if (this.#isClosed) return;
      logger.error('a build could not go on; it is tried again', { build: build.id, error: errorText(error) });
      this.#tryAgain(build.id);
    }
  }

  /** What is done for a build now, with all that was wished of it before. */
  #enter({ id, worker }: Build, run: Running): void {
    const entry = this.#running.get(id);
    if (!entry) return;
    entry.run = run;
    for (const reason of entry.stops) run.stop(reason);
    if (this.#retiring.has(worker)) run.retire();
    if (!this.#options.isAdmitted(worker)) run.endNow(workerRevoked(worker));
  }

  /** A claimed build that may start; undefined when it was given back, or the master stops. */
  async #check(build: Build, config: ConfigShape | undefined): Promise<Build | undefined> {
    const { bus, store, clock, desk } = this.#options;
    const { id, requestId, worker, session, fence } = build;
    const builder = config && findBuilder(config, build);
    if (builder) {
      const check = new StartCheck({ ...this.#startCheck(build), config, builder });
      this.#enter(build, check);
      if (this.#isClosed) return undefined;
      const end = await check.run();
      if (end === 'detached') return undefined;
      if (end !== 'given back') {
        bus.publish('requests', requestId);
        return end;
      }
    } else await store.builds.giveBack(id, clock.now());
    this.#running.delete(id);
    desk.idleSeat(worker, session, fence);
    bus.publish('requests', requestId);
    return undefined;
  }

  #startCheck(build: Build): Pick<StartCheckOptions, 'tools' | 'build' | 'onNo' | 'onFailed'> {
    const { clock, vetoes, complaints } = this.#options;
    const { requestId, project, builder, worker, configHash } = build;
    return {
      tools: this.#options,
      build,
      onNo(text, forMs, tookMs) {
        const nowMs = clock.now();
        const veto = (of: number | string, forSoLongMs: number, say: (until: string) => string): void => {
          const untilMs = nowMs + Math.ceil(forSoLongMs);
          vetoes.add({ of, worker, text: say(clockSeconds(untilMs)), untilMs, configHash });
        };
        veto(requestId, forMs, (until) => `${text}; asked again at ${until}`);
        // Otherwise a builder with many requests, or slow checks, would have the worker for itself, and build nothing.
        veto(
          `${project}/${builder}`,
          tookMs,
          (until) => `canStartBuild said no, and lets others come first until ${until}`,
        );
      },
      onFailed: (error) => complaints.tell(`canStartBuild of ${project}/${builder} on ${worker}`, error),
    };
  }

  /** Undefined when it cannot be loaded for a build that is to end: that one does so without it. */
  async #configOf(build: Build): Promise<ConfigShape | undefined> {
    try {
      return await this.#options.configOf(build.configHash);
    } catch (error) {
      const isStopped = build.stopReason !== undefined || this.#running.get(build.id)?.stops.length;
      const isToGoOn = this.#options.isAdmitted(build.worker) && !this.#retiring.has(build.worker);
      if (!isStopped && isToGoOn) throw error;
      this.#options.logger.warn('a build that is to end does so without its configuration', {
        build: build.id,
        error: errorText(error),
      });
      return undefined;
    }
  }

  #tryAgain(id: number): void {
    this.#retries.set(
      id,
      this.#options.clock.after(TRY_AGAIN_MS, () => this.#startAgain(id)),
    );
  }

  #startAgain(id: number): void {
    const { store, logger } = this.#options;
    this.#retries.get(id)?.();
    this.#retries.delete(id);
    store.builds.find(id).then(
      (build) => {
        if (build?.state === 'running') this.start(build);
      },
      (error: unknown) => {
        logger.error('a build could not be read; it is tried again', { build: id, error: errorText(error) });
        if (!this.#isClosed) this.#tryAgain(id);
      },
    );
  }
}

/** The builder of a build in the configuration that it keeps. */
export function findBuilder(config: ConfigShape, build: Build): BuilderShape | undefined {
  return config.projects
    .find(({ name }) => name === build.project)
    ?.builders.find(({ name }) => name === build.builder);
}
