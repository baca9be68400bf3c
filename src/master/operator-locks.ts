import { readLockKey } from '../model/lock.ts';
import type { LockClaim, LockOwner, LockScope } from '../model/lock.ts';
import type { Store } from '../store/store.ts';
import { OperatorError } from './operator.ts';
import { shown } from './operator-names.ts';
import { waitOrder } from './queue/choose.ts';
import type { Distributor } from './queue/distributor.ts';
import { LockTable } from './queue/locks/lock-table.ts';
import { BEING_GIVEN } from './operator-views.ts';
import { queueOrder } from './queue/queue-order.ts';
import type { Choice, QueueState } from './queue/queue-state.ts';
import type { LockHolderView, LockPlaceView, LockView, LockWaiterView } from './views/lock.ts';

export interface LockViewSources {
  readonly store: Pick<Store, 'builds'>;
  readonly distributor: Pick<Distributor, 'survey'>;
}

/** All locks by name, or the one of that name: who holds it, and who waits for it in which order. */
export async function lockViews({ store, distributor }: LockViewSources, name?: string): Promise<readonly LockView[]> {
  const { state, choice } = await distributor.survey();
  const known = scopes(state);
  if (name !== undefined && !known.has(name)) {
    const names = [...known.keys()].join(', ');
    throw new OperatorError(
      'not-found',
      `there is no lock "${shown(name)}"; ${names === '' ? 'the configuration has none' : `the locks are: ${names}`}`,
    );
  }
  const wanted = name === undefined ? [...known] : [...known].filter(([one]) => one === name);
  const stepName = await stepNames(store, state);
  const table = new LockTable(state);
  return wanted.map(([lock, scope]) => ({
    name: lock,
    scope,
    isGone: !state.config.locks.some((one) => one.name === lock),
    places: places(state, table, lock, scope, stepName),
    waiters: [...waitingSteps(state, choice, lock, stepName), ...waitingRequests(state, choice, lock)],
  }));
}

/** Every lock that is asked for or held, sorted by name. */
function scopes({ config, formerLocks, claims }: QueueState): ReadonlyMap<string, LockScope> {
  const all = new Map<string, LockScope>();
  for (const { key } of claims) {
    const { lock, scope } = readLockKey(key);
    all.set(lock, scope);
  }
  for (const { name, scope } of [...formerLocks.values(), ...config.locks]) all.set(name, scope);
  return new Map([...all].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

type StepName = (owner: LockOwner) => string | null;

/** Names of the steps that hold or wait. */
async function stepNames({ builds }: Pick<Store, 'builds'>, { claims, waits }: QueueState): Promise<StepName> {
  const ids = new Set([...claims, ...waits].flatMap(({ owner }) => (owner.step === undefined ? [] : [owner.buildId])));
  const steps = new Map(await Promise.all([...ids].map(async (id) => [id, await builds.steps(id)] as const)));
  return ({ buildId, step }) => (step === undefined ? null : (steps.get(buildId)?.[step]?.name ?? null));
}

function places(
  state: QueueState,
  table: LockTable,
  lock: string,
  scope: LockScope,
  stepName: StepName,
): readonly LockPlaceView[] {
  const claims = new Map<string, LockClaim[]>(scope === 'farm' ? [[`farm/${lock}`, []]] : []);
  for (const claim of state.claims) {
    if (readLockKey(claim.key).lock !== lock) continue;
    const others = claims.get(claim.key);
    if (others) others.push(claim);
    else claims.set(claim.key, [claim]);
  }
  return [...claims]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, held]) => {
      const { slots, used } = table.key(key);
      const holders = held.map((claim) => holderView(state, claim, stepName));
      return { key, place: readLockKey(key).place ?? null, slots, used, holders };
    });
}

function holderView({ builds }: QueueState, claim: LockClaim, stepName: StepName): LockHolderView {
  const { owner, mode, units, sinceMs } = claim;
  const { project = null, builder = null, number = null } = builds.get(owner.buildId) ?? {};
  return { build: owner.buildId, project, builder, number, step: stepName(owner), mode, units, sinceMs };
}

function waitingSteps(state: QueueState, choice: Choice, lock: string, stepName: StepName): readonly LockWaiterView[] {
  return state.waits.toSorted(waitOrder).flatMap(({ owner, accesses, worker, sinceMs }) => {
    const access = accesses.find((one) => one.lock === lock);
    if (!access) return [];
    const { mode, units } = access;
    const { project = null, builder = null, number = null } = state.builds.get(owner.buildId) ?? {};
    const build = owner.buildId;
    const waitsFor = choice.stepReasons.get(build) ?? BEING_GIVEN;
    return [
      { build, request: null, project, builder, number, step: stepName(owner), worker, mode, units, sinceMs, waitsFor },
    ];
  });
}

/** Those that no worker is given to, for whatever reason: what it is, is said. */
function waitingRequests(
  { requests, ownLocks, config }: QueueState,
  choice: Choice,
  lock: string,
): readonly LockWaiterView[] {
  const accesses = new Map(
    config.projects.flatMap(({ name: project, builders }) =>
      builders.flatMap(({ name, locks }) => {
        const access = locks.find((one) => one.lock === lock);
        return access ? [[`${project}/${name}`, access] as const] : [];
      }),
    ),
  );
  return requests.toSorted(queueOrder).flatMap((request) => {
    const { id, project, builder, submittedAtMs } = request;
    const own = ownLocks?.get(id);
    const access = own ? own.find((one) => one.lock === lock) : accesses.get(`${project}/${builder}`);
    const waitsFor = choice.reasons.get(id);
    if (!access || waitsFor === undefined) return [];
    const { mode, units } = access;
    return [
      {
        build: null,
        request: id,
        project,
        builder,
        number: null,
        step: null,
        worker: null,
        mode,
        units,
        sinceMs: submittedAtMs,
        waitsFor,
      },
    ];
  });
}

const NOBODY = { build: null, project: null, builder: null, number: null, step: null } as const;

/** As whoever reads these projects sees it: that somebody holds it or waits is for everybody, since it is why others wait. */
export function veilLock(lock: LockView, reads: (project: string) => boolean): LockView {
  const isSeen = ({ project }: { readonly project: string | null }): boolean => project !== null && reads(project);
  return {
    ...lock,
    places: lock.places.map((place) => ({
      ...place,
      holders: place.holders.map((one) => (isSeen(one) ? one : { ...one, ...NOBODY })),
    })),
    waiters: lock.waiters.map((one) =>
      isSeen(one) ? one : { ...one, ...NOBODY, request: null, worker: null, waitsFor: null },
    ),
  };
}
