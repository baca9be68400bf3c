import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { UserMistake } from '../../base/errors.ts';
import { sleep } from '../../base/sleep.ts';
import type { KeyExchange } from './key-exchange.ts';
import type { SettledKey, WorkerKeys } from './worker-keys.ts';

/** Whoever asked for another key waits so long for it. */
const ROTATE_MS = 30_000;

/** Makes another key and comes anew with it; resolves when it is the worker's own. Rejects with a UserMistake. */
export async function rotateKey(
  keys: WorkerKeys,
  exchange: KeyExchange | undefined,
  clock: Clock,
): Promise<{ readonly fingerprint: string }> {
  if (!exchange) {
    throw new UserMistake('the worker is not connected to its master just now: try again when it is');
  }
  const settled = deferred<SettledKey>();
  const cancel = keys.onSettled(settled.resolve);
  const late = new AbortController();
  try {
    exchange.renew();
    const end = await Promise.race([settled.promise, sleep(clock, ROTATE_MS, late.signal)]);
    if (!end) {
      throw new UserMistake(
        'the master has not let the new key in yet, perhaps it is too old for that: the key waits in key.next and is offered again at each connection',
      );
    }
    if ('refused' in end) throw new UserMistake(`the worker keeps its key: ${end.refused}`);
    return end;
  } finally {
    cancel();
    late.abort();
  }
}
