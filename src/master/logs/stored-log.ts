import { LIMITS } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import type { StoredLog } from './log-intake.ts';

/** What is stored of a log; of none, nothing. */
export async function storedLog({ logs }: Store, logId: number | undefined): Promise<StoredLog> {
  if (logId === undefined) return { end: 0, weight: 0 };
  const [log, weight] = await Promise.all([logs.find(logId), logs.weigh(logId, LIMITS.holeWeightBytes)]);
  return { end: log?.length ?? 0, weight };
}
