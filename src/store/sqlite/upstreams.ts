import type { BuilderRules } from '../../model/request-rules.ts';
import type { Transaction } from './batch-writer.ts';

/**
 * The newest of each builder for each branch: what came before it is in it. Nobody depends on what a fork wants to be taken in, which may
 * wait for its approval for ever.
 */
export const WAIT_FOR = `INSERT INTO request_upstreams (request_id, upstream_id, is_needed)
  SELECT ?, max(r.id), ? FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE r.project = ? AND r.state IN ('pending', 'claimed') AND s.origin = 'change' AND p.untrusted_of IS NULL
  GROUP BY r.builder, p.branch`;

/**
 * Notes what a new request is to wait for: the newest change of each builder and branch of its upstream projects that is not
 * built yet.
 * What comes there later is not waited for, so that nothing waits for ever.
 */
export async function waitForUpstreams(transaction: Transaction, id: number, rules: BuilderRules): Promise<void> {
  for (const project of rules.upstreams) {
    await transaction.run(WAIT_FOR, id, rules.needsUpstreams ? 1 : 0, project);
  }
}
