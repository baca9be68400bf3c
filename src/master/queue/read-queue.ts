import type { ConfigShape } from '../../config/shape.ts';
import { buildsLeft } from '../../model/worker.ts';
import type { Store } from '../../store/store.ts';
import { heldText } from './held-text.ts';
import type { QueueState, QueueWorker } from './choose.ts';

export interface QueueSources {
  readonly store: Store;
  readonly connected: () => ReadonlySet<string>;
  readonly config: () => ConfigShape;
  readonly nowMs: () => number;
}

/** Reads all that the choice depends on; what changes meanwhile wakes the next reading. */
export async function readQueue(sources: QueueSources): Promise<QueueState> {
  const { store } = sources;
  const requests = await store.requests.pending();
  const config = sources.config();
  if (requests.length === 0)
    return { requests, workers: new Map(), lastUsed: new Map(), config, nowMs: sources.nowMs() };
  const [running, records, lastUsed] = await Promise.all([
    store.builds.running(),
    store.workers.list(),
    readLastUsed(store, requests),
  ]);
  const connected = sources.connected();
  const load = new Map<string, number>();
  for (const { worker } of running) load.set(worker, (load.get(worker) ?? 0) + 1);
  const workers = new Map<string, QueueWorker>();
  for (const name of [...records.map((record) => record.name), ...connected]) {
    const record = records.find((one) => one.name === name);
    const sinceMs = record?.sinceMs;
    const held = record && heldText(record, sources.nowMs());
    const left = record && buildsLeft(record);
    workers.set(name, {
      isConnected: connected.has(name),
      running: load.get(name) ?? 0,
      ...(sinceMs !== undefined && { sinceMs }),
      ...(held !== undefined && { held }),
      ...(left !== undefined && { buildsLeft: left }),
    });
  }
  return { requests, workers, lastUsed, config, nowMs: sources.nowMs() };
}

async function readLastUsed(store: Store, requests: QueueState['requests']): Promise<ReadonlyMap<string, string>> {
  const lastUsed = new Map<string, string>();
  const builders = new Map(requests.map(({ project, builder }) => [`${project}/${builder}`, { project, builder }]));
  await Promise.all(
    [...builders].map(async ([target, filter]) => {
      const [newest] = await store.builds.list({ ...filter, limit: 1 });
      if (newest) lastUsed.set(target, newest.worker);
    }),
  );
  return lastUsed;
}
