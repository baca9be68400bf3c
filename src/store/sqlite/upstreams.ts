import type { BuilderRules } from '../../model/request-rules.ts';
import type { Transaction } from './batch-writer.ts';

/** The newest of each builder: what came before it is in it. */
export const WAIT_FOR = `INSERT INTO request_upstreams (request_id, upstream_id, is_needed)
  SELECT ?, max(r.id), ? FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
  WHERE r.project = ? AND r.state IN ('pending', 'claimed') AND s.origin = 'change' GROUP BY r.builder`;

/**
 * Notes what a new request is to wait for: the newest change of each builder of its upstream projects that is not built yet.
 * What comes there later is not waited for, so that nothing waits for ever.
 */
export async function waitForUpstreams(transaction: Transaction, id: number, rules: BuilderRules): Promise<void> {
  for (const project of rules.upstreams) {
    await transaction.run(WAIT_FOR, id, rules.needsUpstreams ? 1 : 0, project);
  }
}
