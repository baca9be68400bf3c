import type { Clock } from '../base/clock.ts';
import type { ConfigShape } from '../config/shape.ts';
import type { Build, Step } from '../model/build.ts';
import type { Trouble } from '../model/trouble.ts';
import type { WorkerRecord } from '../model/worker.ts';
import type { Store, WaitingRequest } from '../store/store.ts';
import type { Builds } from './builds/builds.ts';
import type { Away } from './builds/lost-watch.ts';
import type { Vitals } from '../transport/link.ts';
import { heldBackText } from './held-back.ts';
import type { WorkerDesk } from './link/desk.ts';
import { heldText } from './queue/held-text.ts';
import { changesOfBuild } from './operator-changes.ts';
import { countsOf } from './operator-tests.ts';
import { familyOf } from './views/family.ts';
import type { BuildView, StepView } from './views/build.ts';
import type { RequestView } from './views/request.ts';
import type { TroubleView, WorkerView } from './views/worker.ts';

export interface ViewSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly builds: Pick<Builds, 'away'>;
  readonly desk: Pick<WorkerDesk, 'vitals'>;
}

/** A build with all that people see of it. */
export async function buildView(sources: ViewSources, build: Build): Promise<BuildView> {
  const { store, clock, builds: running, desk } = sources;
  const [steps, logs, links, properties, builds, changes, collapsed, family, tests] = await Promise.all([
    store.builds.steps(build.id),
    store.logs.list(build.id),
    store.stepLinks.list(build.id),
    store.builds.properties(build.id),
    store.builds.ofRequest(build.requestId),
    store.changes.ofRequest(build.requestId),
    store.requests.collapsed([build.requestId]),
    familyOf(store, build),
    store.tests.reports(build.id),
  ]);
  const nth = builds.indexOf(build.id);
  const nowMs = clock.now();
  return {
    id: build.id,
    project: build.project,
    builder: build.builder,
    virtualBuilder: build.virtualBuilder ?? null,
    number: build.number,
    request: build.requestId,
    buildSet: build.buildSetId,
    collapsed: collapsed.get(build.requestId) ?? [],
    retryOf: builds[nth - 1] ?? null,
    retryCause: build.retryCause ?? null,
    retriedAs: builds[nth + 1] ?? null,
    state: build.state,
    result: build.result ?? null,
    summary: build.summary ?? null,
    worker: build.worker,
    workerAway: awayView(running.away(build.id), nowMs),
    heldBack: (build.state === 'running' && heldBackText(desk.vitals(build.worker))) || null,
    reason: build.reason,
    owner: build.owner,
    scheduler: build.scheduler ?? null,
    externalId: build.externalId ?? null,
    branch: build.source.branch ?? null,
    revision: build.source.revision ?? null,
    untrustedOf: build.source.untrustedOf ?? null,
    patch: build.source.patch ? { sha256: build.source.patch.sha256, bytes: build.source.patch.bytes } : null,
    ...family,
    ...changesOfBuild(changes),
    startedAtMs: build.startedAtMs,
    finishedAtMs: build.finishedAtMs ?? null,
    lockWaitMs: steps.reduce((sum, step) => sum + (lockWaitMs(step, nowMs) ?? 0), 0),
    tests: countsOf(tests) ?? null,
    steps: steps.map((step): StepView => ({
      name: step.name,
      state: step.state,
      result: step.result ?? null,
      summary: step.summary ?? null,
      description: step.description ?? null,
      isHidden: step.isHidden ?? false,
      startedAtMs: step.startedAtMs ?? null,
      finishedAtMs: step.finishedAtMs ?? null,
      lockWaitMs: lockWaitMs(step, nowMs) ?? null,
      waitsForLocks: waitsForLocks(step),
      logs: logs
        .filter((log) => log.step === step.index)
        .map(({ id, name, length, isComplete, deletedAtMs = null }) => ({ id, name, length, isComplete, deletedAtMs })),
      links: links.filter((link) => link.step === step.index).map(({ name, url }) => ({ name, url })),
    })),
    properties: properties.map(({ name, value, source }) => ({ name, value, source })),
  };
}

export function waitsForLocks({ lockWaitSinceMs, lockWaitMs: waitedMs }: Step): boolean {
  return lockWaitSinceMs !== undefined && waitedMs === undefined;
}

function lockWaitMs(step: Step, nowMs: number): number | undefined {
  if (waitsForLocks(step)) return Math.max(0, nowMs - (step.lockWaitSinceMs ?? nowMs));
  return step.lockWaitMs;
}

function awayView(away: Away | undefined, nowMs: number): BuildView['workerAway'] {
  if (!away) return null;
  const { forMs, retryInMs } = away;
  return {
    sinceMs: Math.round(nowMs - forMs),
    retryAtMs: retryInMs === undefined ? null : Math.round(nowMs + retryInMs),
  };
}

/** Of a request that nothing keeps waiting. */
export const BEING_STARTED = 'it is being started';

/** Of a step that nothing keeps waiting. */
export const BEING_GIVEN = 'is being given its locks';

export function requestView(request: WaitingRequest, waitsFor: string): RequestView {
  const { id, project, builder, owner, scheduler = null, externalId = null, submittedAtMs, buildId } = request;
  return { id, project, builder, owner, scheduler, externalId, submittedAtMs, retryOf: buildId ?? null, waitsFor };
}

export function troubleView({ id, worker, kind, sinceMs, untilMs, text, endText }: Trouble): TroubleView {
  return { id, worker, kind, sinceMs, untilMs: untilMs ?? null, text, endText: endText ?? null };
}

/** The workers of the configuration and those that were ever here, by name. */
export function workerViews(
  config: ConfigShape,
  records: readonly WorkerRecord[],
  connected: ReadonlySet<string>,
  running: readonly Build[],
  vitals: (worker: string) => Vitals | undefined,
  troubles: readonly Trouble[],
  nowMs: number,
): readonly WorkerView[] {
  const known = new Map(records.map((record) => [record.name, record]));
  const configured = new Map(config.workers.map((worker) => [worker.name, worker]));
  const names = new Set([...configured.keys(), ...known.keys()]);
  return [...names].toSorted().map((name): WorkerView => {
    const record = known.get(name);
    return {
      name,
      state: connected.has(name) ? 'connected' : record?.sinceMs === undefined ? 'never seen' : 'disconnected',
      sinceMs: record?.sinceMs ?? null,
      host: record?.host ?? null,
      version: record?.version ?? null,
      builds: running.filter((build) => build.worker === name).map((build) => build.id),
      maxBuilds: configured.get(name)?.maxBuilds ?? 0,
      isConfigured: configured.has(name),
      owner: configured.get(name)?.owner ?? null,
      hold: record?.hold ? { reason: null, ...record.hold } : null,
      held: (record && heldText(record, nowMs)) ?? null,
      heldBack: heldBackText(vitals(name)) ?? null,
      troubles: troubles.filter(({ worker }) => worker === name).map(troubleView),
      facts: record?.facts ?? {},
    };
  });
}
