import type { Json, JsonObject } from '../../model/json.ts';
import { LIMITS } from '../../protocol/limits.ts';

/** How much is kept of the output of a recorded call. */
export function logLimitOf(call: Json): number {
  const isMap = typeof call === 'object' && call !== null && !Array.isArray(call);
  const limit = isMap ? (call as JsonObject)['logMaxBytes'] : undefined;
  return typeof limit === 'number' ? limit : LIMITS.logBytes;
}
