import { isBeingChecked } from '../../../model/build.ts';
import { readLockKey } from '../../../model/lock.ts';
import type { LockClaim } from '../../../model/lock.ts';
import { clockTime } from '../clock-time.ts';
import { joinNamed } from '../join-named.ts';
import { mayBeNamed } from '../may-be-named.ts';
import type { QueueState } from '../queue-state.ts';
import type { Blocked, LockWaiter } from './lock-waiter.ts';

/** `waits for lock vpn (exclusive): held by kate/debian#12 since 12:30 UTC, 2 ahead of it` */
export function lockReason({ blocked, project }: LockWaiter, state: QueueState): string {
  return `waits for ${blocked.map((one) => ofKey(one, state, project)).join('; and for ')}`;
}

function ofKey({ ask, ahead }: Blocked, state: QueueState, project: string): string {
  const { of, wish } = ask;
  const held = joinNamed(of.claims.map((claim) => holderText(claim, state, project)));
  const parts = [...(held ? [`held by ${held}`] : []), ...(ahead > 0 ? [`${ahead} ahead of it`] : [])];
  const part = wish.mode === 'exclusive' ? 'exclusive' : `${wish.units} of ${of.slots}`;
  return `${lockName(wish.key)} (${part}): ${parts.join(', ') || 'taken in this moment'}`;
}

/** `lock vpn`, `lock cpu on sid`, `lock disk on host vm1`. */
export function lockName(key: string): string {
  const { scope, lock, place } = readLockKey(key);
  if (scope === 'farm') return `lock ${lock}`;
  return scope === 'worker' ? `lock ${lock} on ${place}` : `lock ${lock} on host ${place}`;
}

function holderText({ owner, sinceMs }: LockClaim, state: QueueState, project: string): string {
  return `${buildName(owner.buildId, state, project)} since ${clockTime(sinceMs, state.nowMs)}`;
}

/**
 * `kate/debian#12`, for those who may read of a project; `build 40` when it is of another one that is not everybody's, or gone,
 * since its name is not for all who read this.
 */
export function buildName(id: number, { builds, config }: QueueState, reader: string): string {
  const build = builds.get(id);
  if (!build || !mayBeNamed(build.project, reader, config)) return `build ${id}`;
  const name = `${build.project}/${build.builder}`;
  return isBeingChecked(build) ? `${name}, which may start` : `${name}#${build.number}`;
}
