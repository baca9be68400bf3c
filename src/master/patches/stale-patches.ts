/** A patch on the master's disk. */
export interface StoredPatch {
  readonly id: string;
  readonly bytes: number;
  /** When it came. */
  readonly atMs: number;
}

/** One that no request waits for any more is kept so long, for whoever wants to look at it: 30 days. */
export const PATCH_KEPT_MS = 30 * 86_400_000;

/**
 * The ids of those to remove: what nobody waits for is removed when it is old, and the oldest of it before that, when all
 * together are more than `maxBytes`. What is in use stays.
 */
export function stalePatches(
  stored: readonly StoredPatch[],
  inUse: ReadonlySet<string>,
  nowMs: number,
  maxBytes: number,
): readonly string[] {
  let bytes = stored.reduce((sum, patch) => sum + patch.bytes, 0);
  const stale: string[] = [];
  for (const patch of stored.filter(({ id }) => !inUse.has(id)).toSorted((a, b) => a.atMs - b.atMs)) {
    if (bytes <= maxBytes && patch.atMs >= nowMs - PATCH_KEPT_MS) break;
    stale.push(patch.id);
    bytes -= patch.bytes;
  }
  return stale;
}
