import type { Build } from '../model/build.ts';
import { isBeingChecked } from '../model/build.ts';
import type { KnownRequest, WaitingRequest } from '../store/store.ts';
import { whyRunning } from './builds/why-running.ts';
import type { Configs } from './configs.ts';
import { heldBackText } from './held-back.ts';
import type { Cause, WhyView } from './views/request.ts';
import { builderName, findBuild, noRequest, requestId } from './operator-names.ts';
import { queueViews } from './operator-queue.ts';
import type { QueueViewSources } from './operator-queue.ts';
import { BEING_GIVEN, BEING_STARTED, waitsForLocks } from './operator-views.ts';
import type { ViewSources } from './operator-views.ts';
import { clockTime } from './queue/clock-time.ts';
import { waitingRequests } from './operator-waiting.ts';
import { findBuilder, findProject } from './operator-wish.ts';

export interface WhySources extends ViewSources, QueueViewSources {
  readonly configs: Configs;
}

/** Why what a person named waits, or stands still: a build, `request:ID`, or all that waits and runs of `PROJECT/BUILDER`. */
export async function explainWhy(sources: WhySources, name: string): Promise<readonly WhyView[]> {
  const { store, configs } = sources;
  const id = requestId(name);
  if (id !== undefined) {
    const request = await store.requests.find(id);
    if (!request) throw noRequest(id);
    return [await ofRequest(sources, request)];
  }
  const target = builderName(name);
  if (!target) return [await ofBuild(sources, await findBuild(store, name))];
  const isOfIt = (one: { readonly project: string; readonly builder: string }): boolean =>
    one.project === target.project && one.builder === target.builder;
  const running = (await store.builds.running()).filter(isOfIt);
  const builds = running.filter((build) => !isBeingChecked(build));
  const requests = (await waitingRequests(sources)).map(({ request }) => request).filter(isOfIt);
  // One that is gone from the configuration may still have some.
  if (builds.length + requests.length === 0) findBuilder(findProject(configs.active, target.project), target.builder);
  return [
    ...(await Promise.all(builds.map((build) => ofBuild(sources, build)))),
    ...(await waitingViews(sources, requests)),
  ];
}

async function ofRequest(sources: WhySources, request: KnownRequest): Promise<WhyView> {
  if (request.state !== 'finished') {
    const [view] = await waitingViews(sources, [request]);
    if (view) return view;
  }
  const now = await sources.store.requests.find(request.id);
  const build = now?.buildId === undefined ? undefined : await sources.store.builds.find(now.buildId);
  if (build) return await ofBuild(sources, build);
  const { id, project, builder } = request;
  return {
    request: id,
    build: null,
    project,
    builder,
    externalId: request.externalId ?? null,
    state: 'ended',
    causes: [{ code: 'ended', text: endText(now ?? request) }],
  };
}

/** Of one that no build ended. */
function endText({ cause, result, summary }: KnownRequest): string {
  const why = summary === undefined ? '' : `: ${summary}`;
  return cause === 'stopped'
    ? `it was taken out of the queue${why}`
    : `it ended as ${result ?? 'nothing'} in the queue${why}`;
}

/** Those of them that still wait. */
async function waitingViews(
  sources: WhySources,
  requests: readonly Pick<WaitingRequest, 'id'>[],
): Promise<readonly WhyView[]> {
  if (requests.length === 0) return [];
  const ids = new Set(requests.map(({ id }) => id));
  const queue = await queueViews(sources);
  return queue
    .filter(({ id }) => ids.has(id))
    .map(({ id, project, builder, externalId, position, waitsFor, retryOf, collapsed, deadlineMs }) => ({
      request: id,
      build: null,
      project,
      builder,
      externalId,
      state: 'waiting',
      causes: [
        { code: 'queue', text: waitsFor },
        ...(retryOf === null ? [] : [{ code: 'retry' as const, text: `build ${retryOf} of it is retried` }]),
        ...(collapsed.length === 0
          ? []
          : [
              {
                code: 'collapsed' as const,
                text: `built in place of ${collapsed.join(', ')}, which were collapsed into it`,
              },
            ]),
        ...(deadlineMs === null
          ? []
          : [{ code: 'deadline' as const, text: `it is given up at ${clockTime(deadlineMs, sources.clock.now())}` }]),
        ...(position === 1 ? [] : [{ code: 'behind' as const, text: `it is number ${position} in the queue` }]),
      ],
    }));
}

async function ofBuild(sources: WhySources, build: Build): Promise<WhyView> {
  const { store, clock, builds, desk } = sources;
  if (isBeingChecked(build)) {
    const [view] = await waitingViews(sources, [{ id: build.requestId }]);
    if (view) return view;
  }
  const { id, requestId: request, project, builder, state } = build;
  const head = { request, build: id, project, builder, externalId: build.externalId ?? null };
  if (state === 'finished') {
    const text = `it has ended: ${build.result ?? 'no result'}${build.summary === undefined ? '' : ` (${build.summary})`}`;
    return { ...head, state: 'ended', causes: [{ code: 'ended', text }] };
  }
  const [steps, records, children] = await Promise.all([
    store.builds.steps(id),
    store.commands.list(id),
    waitedFor(sources, build),
  ]);
  const causes = whyRunning({
    build,
    away: builds.away(id),
    heldBack: heldBackText(desk.vitals(build.worker)),
    steps,
    records,
    waitsFor: steps.some(waitsForLocks) ? await whyForLocks(sources, id) : undefined,
    children,
    nowMs: clock.now(),
  });
  return { ...head, state: 'running', causes };
}

/** Of a step that the next round gives them there is nothing else to say. */
async function whyForLocks({ distributor }: WhySources, build: number): Promise<string> {
  return (await distributor.survey()).choice.stepReasons.get(build) ?? BEING_GIVEN;
}

/** What a build triggered and waits for, each with where it stands. */
async function waitedFor({ store, distributor }: WhySources, build: Build): Promise<readonly Cause[]> {
  const open = (await store.requests.childrenOf(build.id)).filter(
    ({ parent, state }) => parent?.waits && state !== 'finished',
  );
  if (open.length === 0) return [];
  const reasons = await distributor.reasons();
  return open.map(({ id, project, builder, state, buildId }) => {
    const stands =
      state === 'pending'
        ? `request ${id} of ${project}/${builder}, which waits: ${reasons.get(id) ?? BEING_STARTED}`
        : `build ${buildId} of ${project}/${builder}, which runs`;
    return { code: 'child', text: `it waits for ${stands}`, ...(project !== build.project && { project }) };
  });
}

/** The same for somebody who may not read every project that it tells of. */
export function ofReadableCauses(view: WhyView, reads: (project: string) => boolean): WhyView {
  return {
    ...view,
    causes: view.causes.map(({ project, ...cause }) =>
      project === undefined || reads(project) ? cause : { ...cause, text: 'it waits for a build you may not see' },
    ),
  };
}
