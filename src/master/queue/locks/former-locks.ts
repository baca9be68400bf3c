import type { ConfigShape } from '../../../config/shape.ts';
import type { Build } from '../../../model/build.ts';
import { readLockKey } from '../../../model/lock.ts';
import type { LockClaim, LockShape, LockWait } from '../../../model/lock.ts';

/** What the builds that hold or want a lock know of it, when the active configuration has it no more, or in another scope. */
export async function readFormerLocks(
  configOf: (hash: string) => Promise<ConfigShape>,
  running: readonly Build[],
  { locks }: ConfigShape,
  claims: readonly LockClaim[],
  waits: readonly LockWait[],
): Promise<ReadonlyMap<string, LockShape>> {
  const active = new Set(locks.map(({ name, scope }) => `${scope}/${name}`));
  const owners = new Set<number>();
  for (const { key, owner } of claims) {
    const { scope, lock } = readLockKey(key);
    if (!active.has(`${scope}/${lock}`)) owners.add(owner.buildId);
  }
  for (const { owner, accesses } of waits) {
    if (accesses.some(({ scope, lock }) => !active.has(`${scope}/${lock}`))) owners.add(owner.buildId);
  }
  const hashes = new Set(running.flatMap(({ id, configHash }) => (owners.has(id) ? [configHash] : [])));
  const former = new Map<string, LockShape>();
  // In the order of the builds, so that the newest one's word counts.
  for (const hash of hashes) {
    // Its builds say that it cannot be loaded: nobody else is to wait for that.
    const config = await configOf(hash).catch(() => undefined);
    for (const lock of config?.locks ?? []) former.set(lock.name, lock);
  }
  return former;
}
