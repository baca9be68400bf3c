import type { Clock } from '../../base/clock.ts';
import type { Bus } from '../../bus/bus.ts';
import type { TriggerAnswer, TriggerArgs } from '../../config/calls.ts';
import type { StepAnswer } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import { StoreError } from '../../store/store.ts';
import type { KnownRequest, Store } from '../../store/store.ts';
import { Wake } from '../wake.ts';
import { exception } from './journal.ts';
import { triggeredSets } from './triggered-sets.ts';

export interface TriggerTools {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  /** As it is now: what is triggered is built by it. */
  readonly config: () => ConfigShape;
}

/** A lost signal costs no more than this. */
const SLOW_MS = 30_000;

/**
 * Does what a call `trigger` of a build asks. `key` names the call in its build: by it the rows that were added are found when
 * the call is made again, so that it adds none, and a wait goes on where it was. Rejects with the signal's reason.
 */
export async function triggerBuilds(
  tools: TriggerTools,
  build: Build,
  key: string,
  args: TriggerArgs,
  signal: AbortSignal,
): Promise<StepAnswer> {
  const { store, bus } = tools;
  const keys = args.schedulers.map((_, index) => `${key}.${index}`);
  let sets = await store.requests.triggered(build.id, keys);
  if (sets.every((set) => set.length === 0)) {
    const made = await triggeredSets(tools, build, keys, args);
    if ('mistake' in made) return exception(made.mistake);
    try {
      sets = await store.requests.trigger(made.sets);
    } catch (error) {
      // It was ended meanwhile.
      if (error instanceof StoreError && error.code === 'lost-claim') return exception(error.message);
      throw error;
    }
    for (const id of sets.flat()) bus.publish('requests', id);
  }
  const ids = sets.flat();
  const requests = args.waits ? await untilEnded(tools, ids, signal) : await store.requests.known(ids);
  const known = new Map(requests.map((request) => [request.id, request]));
  const answer: TriggerAnswer = {
    requests: sets.flatMap((set, index) =>
      set.flatMap((id) => {
        const request = known.get(id);
        return request ? [triggered(request, args.schedulers[index] ?? '', args.waits)] : [];
      }),
    ),
  };
  return { ok: answer };
}

/** What is known of one that is not waited for is told by no answer: it would be another one each time. */
function triggered(
  { id, project, builder, buildId, result }: KnownRequest,
  scheduler: string,
  hasEnded: boolean,
): TriggerAnswer['requests'][number] {
  const end = { build: buildId ?? null, result: result ?? null };
  return { id, scheduler, project, builder, ...(hasEnded ? end : { build: null, result: null }) };
}

async function untilEnded(
  { store, bus, clock }: TriggerTools,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<readonly KnownRequest[]> {
  const wake = new Wake(clock, SLOW_MS).on(bus, 'requests', (key) => ids.some((id) => id === key)).until(signal);
  try {
    for (;;) {
      signal.throwIfAborted();
      const requests = await store.requests.known(ids);
      if (requests.every(({ state }) => state === 'finished')) return requests;
      await wake.next();
    }
  } finally {
    wake.close();
  }
}
