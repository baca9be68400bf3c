import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import { pullRequestOf } from '../model/forge.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { noRequest, pullRequestName, requestId, shown } from './operator-names.ts';
import type { ApprovalView } from './views/request.ts';

interface ApproveSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
}

interface Approvable {
  readonly project: string;
  readonly revision: string;
}

/** Lets the builds of one revision of a fork go: the one of `request:ID`, or of `PROJECT#N`, a pull request, with its revision. */
export async function approveBuild(
  { store, bus, clock }: ApproveSources,
  asker: Asker,
  name: string,
  revision: string | undefined,
): Promise<ApprovalView> {
  let found: Approvable | undefined;
  const detail = () => ({ ...(found ?? (revision !== undefined && { revision })) });
  const action = { action: 'approve a build', target: name, detail, role: 'developer' } as const;
  return await audited({ store, clock }, asker, action, async () => {
    found = await findApprovable(store, name, revision);
    const requests = await store.approvals.approve({ ...found, by: asker.name, atMs: clock.now() });
    for (const id of requests) bus.publish('requests', id);
    return { ...found, requests };
  });
}

async function findApprovable(store: Store, name: string, revision: string | undefined): Promise<Approvable> {
  const id = requestId(name);
  if (id !== undefined) return await ofRequest(store, id, revision);
  const pull = pullRequestName(name);
  if (pull) return await ofPullRequest(store, pull, revision);
  throw new OperatorError(
    'usage',
    `"${shown(name)}" names nothing to approve: give request:ID, or PROJECT#N with --revision`,
  );
}

async function ofRequest(store: Store, id: number, wanted: string | undefined): Promise<Approvable> {
  const request = await store.requests.find(id);
  if (!request) throw noRequest(id);
  const { project, approval, state, source } = request;
  const { revision } = source;
  if (approval === 'needed' && revision === undefined) {
    const what = 'is of whatever the tip of a fork is, and no revision of it is named';
    throw new OperatorError('conflict', `request ${id} ${what}: stop it, and rebuild without --latest`);
  }
  if (approval === undefined || revision === undefined) {
    throw new OperatorError('conflict', `request ${id} waits for no approval: what it builds is of no fork`);
  }
  if (approval === 'given') {
    const by = await store.approvals.find(project, revision);
    throw new OperatorError('conflict', `request ${id} waits for no approval: ${by ?? 'somebody'} gave it already`);
  }
  if (state !== 'pending') throw new OperatorError('conflict', `request ${id} has ended`);
  if (wanted !== undefined && !isMeant(revision, wanted)) {
    throw new OperatorError('conflict', `request ${id} is of revision ${revision}, not ${shown(wanted)}`);
  }
  return { project, revision };
}

/** Whoever looked at one revision must not approve the one that was pushed a moment later: it is named. */
async function ofPullRequest(
  store: Store,
  { project, number }: NonNullable<ReturnType<typeof pullRequestName>>,
  wanted: string | undefined,
): Promise<Approvable> {
  const waiting = (await store.requests.pending()).filter(
    (request) =>
      request.approval === 'needed' && request.project === project && pullRequestOf(request.source.branch) === number,
  );
  const revisions = [...new Set(waiting.flatMap(({ source }) => source.revision ?? []))];
  if (revisions.length === 0) {
    throw new OperatorError('not-found', `nothing of pull request ${number} of ${shown(project)} waits for approval`);
  }
  const revision = wanted === undefined ? undefined : revisions.find((one) => isMeant(one, wanted));
  if (revision === undefined) {
    const say = 'say which revision you have looked at, with --revision and its whole hash';
    throw new OperatorError('usage', `${say}; these wait: ${revisions.join(', ')}`);
  }
  return { project, revision };
}

/** The whole: one that begins as another does is made in moments, and pushed when that was looked at. */
function isMeant(revision: string, wanted: string): boolean {
  return revision === wanted.toLowerCase();
}
