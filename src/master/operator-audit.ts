import type { Clock } from '../base/clock.ts';
import type { AuditEntry, Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Asker } from './operator.ts';

/** The newest control actions first; who reads them is one of them from then on. */
export async function listAudit(
  sources: { readonly store: Store; readonly clock: Clock },
  asker: Asker,
  limit: number,
): Promise<readonly AuditEntry[]> {
  const action = { action: 'read the audit log', target: `the last ${limit}`, role: 'operator' } as const;
  return await audited(sources, asker, action, () => sources.store.audit.list(limit));
}
