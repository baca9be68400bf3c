import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { BuilderRules, Origin } from '../../model/request-rules.ts';
import type { SourceStamp } from '../../model/source-stamp.ts';
import type { NewBuildSet } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { endRequest, stopBuildOf, waitInstead } from './end-request.ts';

/** By the index of lanes: those of other branches and builders, and all that have ended, are not looked at. */
export const OLDER = `SELECT r.id, r.state, s.origin, s.properties, p.revision,
    (SELECT max(l.change_id) FROM build_set_changes l WHERE l.build_set_id = s.id) AS change
  FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE r.lane = ? AND r.state = ? AND r.id < ? ORDER BY r.id`;
const RANK = `(SELECT coalesce(r.rank_at_ms, s.rank_at_ms, s.submitted_at_ms)
  FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id WHERE r.id = ?)`;
const TAKE_RANK = `UPDATE build_requests SET rank_at_ms = min(${RANK.replace('?', '?1')}, ${RANK.replace('?', '?2')}) WHERE id = ?2`;
/** A tag is what it is: no newer one takes its place. */
const TAG = /^refs\/tags\//;

interface Older {
  readonly id: number;
  readonly state: 'pending' | 'claimed';
  readonly origin: Origin;
  readonly properties: string;
  readonly revision: string | null;
  /** The newest of its changes. */
  readonly change: number | null;
}

/** What a request that has just been added has in common with those that it may take the place of, and how it differs. */
export interface Newcomer {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly origin: Origin;
  readonly source: SourceStamp;
  /** As stored. */
  readonly properties: string;
  /** The newest of its changes. */
  readonly change: number | undefined;
}

/**
 * The requests of which a newer one may take the place of older ones: those of one builder for one branch of one repository,
 * of one parent if that waits for them, for one worker if one was chosen, and with secrets or without. Undefined: its place is never taken, for somebody
 * asked for just this one, or it is of a patch or a tag.
 */
export function laneOf(
  request: Pick<Newcomer, 'project' | 'builder' | 'origin' | 'source'> & Pick<NewBuildSet, 'parent' | 'worker'>,
): string | undefined {
  const { project, builder, origin, source, parent, worker } = request;
  const { repository, branch, patch, untrustedOf } = source;
  if (origin === 'person' || patch || (branch !== undefined && TAG.test(branch))) return undefined;
  const isOfFork = untrustedOf !== undefined;
  const words = [project, builder, repository, branch, parent?.waits ? parent.buildId : undefined, worker, isOfFork];
  return createHash('sha256')
    .update(JSON.stringify(words.map((word) => word ?? null)))
    .digest('hex');
}

/** Ends the older requests of the lane that the new one takes the place of, in the transaction that adds it. */
export async function takePlaces(
  transaction: Transaction,
  lane: string,
  rules: BuilderRules,
  newcomer: Newcomer,
  atMs: number,
): Promise<void> {
  const { id, origin, source, change } = newcomer;
  const { collapses, supersedes } = rules;
  if (!collapses && supersedes === 'never') return;
  // Two schedulers may want the same change.
  const isNewer = (older: Older): boolean =>
    supersedes !== 'never' && origin === 'change' && older.origin === 'change' && (older.change ?? 0) < (change ?? 0);
  const superseded = `superseded by change ${change ?? ''} (${(source.revision ?? '').slice(0, 12)}), request ${id}`;
  for (const older of await transaction.all<Older>(OLDER, lane, 'pending', id)) {
    if (collapses && isSame(older, newcomer)) await collapse(transaction, older.id, id, atMs);
    else if (isNewer(older)) {
      await waitInstead(transaction, older.id, id);
      const end = { result: 'cancelled', cause: 'superseded', summary: superseded } as const;
      await endRequest(transaction, older.id, 'pending', end, atMs);
    }
  }
  if (supersedes !== 'running') return;
  for (const older of await transaction.all<Older>(OLDER, lane, 'claimed', id)) {
    if (!isNewer(older)) continue;
    await waitInstead(transaction, older.id, id);
    await stopBuildOf(transaction, older.id, superseded, atMs);
  }
}

/** The newer one takes the older one's place in the queue. Resolves to false when the older one waits no more. */
export async function collapse(transaction: Transaction, older: number, newer: number, atMs: number): Promise<boolean> {
  const summary = `collapsed into request ${newer}`;
  const end = { result: 'skipped', cause: 'collapsed', summary, collapsedInto: newer } as const;
  if (!(await endRequest(transaction, older, 'pending', end, atMs))) return false;
  await transaction.run(TAKE_RANK, older, newer);
  return true;
}

/**
 * Buildbot's rule: both are of changes, whichever these are, or none is and the revision is the same. But what was asked for later may
 * be of an earlier change (a quiet time, a set that is followed): with it the later change would not be built.
 */
function isSame(older: Older, { source, properties, change }: Newcomer): boolean {
  if ((older.change !== null) !== (change !== undefined)) return false;
  if (change !== undefined && (older.change ?? 0) > change) return false;
  if (change === undefined && older.revision !== (source.revision ?? null)) return false;
  return older.properties === properties || isDeepStrictEqual(JSON.parse(older.properties), JSON.parse(properties));
}
