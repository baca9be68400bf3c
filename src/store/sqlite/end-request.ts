import type { RequestCause } from '../../model/build-request.ts';
import type { RequestEnd } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { orNull } from './row.ts';

const END = `UPDATE build_requests
  SET state = 'finished', result = ?, summary = ?, cause = ?, collapsed_into = ?, finished_at_ms = ?
  WHERE id = ? AND state = ? RETURNING build_set_id AS buildSetId, project, builder`;
const OPEN_OF_SET = `SELECT id, state FROM build_requests WHERE build_set_id = ? AND state IN ('pending', 'claimed') ORDER BY id`;
const OPEN_CHILDREN = `SELECT r.id, r.state FROM build_sets s JOIN build_requests r ON r.build_set_id = s.id
  WHERE s.parent_build_id = ? AND s.parent_waits AND r.state IN ('pending', 'claimed') ORDER BY r.id`;
const CANCELS_REST = 'SELECT 1 FROM build_sets WHERE id = ? AND cancel_rest';
const STOP = `UPDATE builds SET stop_reason = coalesce(stop_reason, ?) WHERE request_id = ? AND state = 'running' RETURNING id`;
const DOWNSTREAM = 'SELECT request_id AS id, is_needed AS isNeeded FROM request_upstreams WHERE upstream_id = ?';
const FORGET_UPSTREAM = 'DELETE FROM request_upstreams WHERE upstream_id = ? OR request_id = ?';
const COLLAPSED_BEFORE = 'UPDATE build_requests SET collapsed_into = ?, summary = ? WHERE collapsed_into = ?';
const WAIT_INSTEAD = 'UPDATE OR IGNORE request_upstreams SET upstream_id = ? WHERE upstream_id = ?';

interface OpenRequest {
  readonly id: number;
  readonly state: 'pending' | 'claimed';
}

interface StoppedAs {
  readonly cause: RequestCause;
  /** For people. */
  readonly summary: string;
}

/** The end of any request; `collapsedInto`: the newer one that is built in its place. */
type End = Omit<RequestEnd, 'summary'> & { readonly summary?: string; readonly collapsedInto?: number };

/**
 * Ends a request, with all that follows in the same transaction: the first failure of a set may cancel its rest, and whoever
 * waited for it as an upstream waits no more. Resolves to false, with nothing changed, when it is not in this state.
 */
export async function endRequest(
  transaction: Transaction,
  id: number,
  from: 'pending' | 'claimed',
  end: End,
  atMs: number,
): Promise<boolean> {
  const { result, cause, summary, collapsedInto } = end;
  const ended = await transaction.returning<{ buildSetId: number; project: string; builder: string }>(
    END,
    result,
    orNull(summary),
    orNull(cause),
    orNull(collapsedInto),
    atMs,
    id,
    from,
  );
  if (!ended) return false;
  transaction.aside({ kind: 'ended', requestId: id });
  const what = `${ended.project}/${ended.builder}, request ${id}, ended as ${result}`;
  if (collapsedInto !== undefined) {
    await transaction.run(COLLAPSED_BEFORE, collapsedInto, orNull(summary), id);
    await waitInstead(transaction, id, collapsedInto);
  }
  const isFailure = result === 'failure' || result === 'exception';
  if (isFailure && (await transaction.get(CANCELS_REST, ended.buildSetId))) {
    const rest = `cancelled with the rest of its build set: ${what}`;
    await stopSet(transaction, ended.buildSetId, { cause: 'rest', summary: rest }, atMs);
  }
  await letDownstreamGo(transaction, id, isBad(end) ? what : undefined, atMs);
  return true;
}

/** Asks the running build of a request to end, and with it what it waits for; the first reason stays. */
export async function stopBuildOf(
  transaction: Transaction,
  requestId: number,
  reason: string,
  atMs: number,
): Promise<void> {
  const build = await transaction.returning<{ id: number }>(STOP, reason, requestId);
  if (!build) return;
  transaction.aside({ kind: 'stopping', buildId: build.id, reason });
  await endChildren(transaction, build.id, `was stopped: ${reason}`, atMs);
}

/**
 * Ends what a build waits for, since that one `has ended: failure` or `was stopped: …`: what waits is cancelled, what runs is asked
 * to end, and with it what it waits for itself.
 */
export async function endChildren(
  transaction: Transaction,
  buildId: number,
  what: string,
  atMs: number,
): Promise<void> {
  const open = await transaction.all<OpenRequest>(OPEN_CHILDREN, buildId);
  const summary = `build ${buildId}, which waited for it, ${what}`;
  await stopAll(transaction, open, { cause: 'stopped', summary }, atMs);
}

/** Those that wait for one as an upstream wait for a newer one instead, which is built in its place. */
export async function waitInstead(transaction: Transaction, older: number, newer: number): Promise<void> {
  await transaction.run(WAIT_INSTEAD, newer, older);
}

/** Ends what waits of a build set, and asks what runs of it to end; resolves to how many these are. */
export async function stopSet(transaction: Transaction, setId: number, end: StoppedAs, atMs: number): Promise<number> {
  const open = await transaction.all<OpenRequest>(OPEN_OF_SET, setId);
  await stopAll(transaction, open, end, atMs);
  return open.length;
}

async function stopAll(
  transaction: Transaction,
  open: readonly OpenRequest[],
  { cause, summary }: StoppedAs,
  atMs: number,
): Promise<void> {
  for (const { id, state } of open) {
    if (state === 'claimed') await stopBuildOf(transaction, id, summary, atMs);
    else await endRequest(transaction, id, 'pending', { result: 'cancelled', cause, summary }, atMs);
  }
}

/** `failed`: what those that need it are told; undefined when it went well. */
async function letDownstreamGo(
  transaction: Transaction,
  id: number,
  failed: string | undefined,
  atMs: number,
): Promise<void> {
  const waiting = await transaction.all<{ id: number; isNeeded: number }>(DOWNSTREAM, id);
  await transaction.run(FORGET_UPSTREAM, id, id);
  if (failed === undefined) return;
  const summary = `not built, for what it depends on failed: ${failed}`;
  for (const one of waiting) {
    if (one.isNeeded === 0) continue;
    await endRequest(transaction, one.id, 'pending', { result: 'skipped', cause: 'upstream', summary }, atMs);
  }
}

function isBad({ result, cause }: End): boolean {
  if (result === 'skipped') return cause === 'upstream';
  return result !== 'success' && result !== 'warnings';
}
