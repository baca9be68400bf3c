import { readLockKey } from '../../../model/lock.ts';
import type { LockClaim } from '../../../model/lock.ts';
import { clockTime } from '../clock-time.ts';
import { joinNamed } from '../join-named.ts';
import type { QueueBuild, QueueState } from '../queue-state.ts';
import type { Ask } from './key-units.ts';

/** An ask that could not be granted, and how many were ahead of it. */
export interface Blocked {
  readonly ask: Ask;
  readonly ahead: number;
}

/** `waits for lock vpn (exclusive): held by kate/debian 12 since 12:30 UTC, 2 ahead of it` */
export function lockReason(blocked: readonly Blocked[], state: QueueState): string {
  return `waits for ${blocked.map((one) => ofKey(one, state)).join('; and for ')}`;
}

function ofKey({ ask, ahead }: Blocked, state: QueueState): string {
  const { of, wish } = ask;
  const held = joinNamed(of.claims.map((claim) => holderText(claim, state)));
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

function holderText({ owner, sinceMs }: LockClaim, { builds, nowMs }: QueueState): string {
  return `${buildName(owner.buildId, builds)} since ${clockTime(sinceMs, nowMs)}`;
}

/** `kate/debian 12` */
export function buildName(id: number, builds: ReadonlyMap<number, QueueBuild>): string {
  const build = builds.get(id);
  return build ? `${build.project}/${build.builder} ${build.number}` : `build #${id}`;
}
