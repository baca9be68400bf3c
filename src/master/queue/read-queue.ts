import type { ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { Build } from '../../model/build.ts';
import { buildsLeft } from '../../model/worker.ts';
import type { Store } from '../../store/store.ts';
import { heldText } from './held-text.ts';
import { readFormerLocks } from './locks/former-locks.ts';
import type { BuildIfs } from './build-ifs.ts';
import type { NextBuilds } from './next-builds.ts';
import type { OwnLocks } from './own-locks.ts';
import { Spacing } from './spacing.ts';
import { secretVetoes } from './secret-vetoes.ts';
import type { Vetoes } from './vetoes.ts';
import type { Hold, QueueBuild, QueueState, QueueWorker } from './queue-state.ts';

/** Which of the requests wait for something of its own, and what to say of it. */
export type HoldSource = (requests: readonly BuildRequest[], nowMs: number) => Promise<ReadonlyMap<number, Hold>>;

export interface QueueSources {
  readonly store: Store;
  readonly connected: () => ReadonlySet<string>;
  /** Of a worker that is connected: it masks secrets in what it sends. */
  readonly canMask: (worker: string) => boolean;
  readonly config: () => ConfigShape;
  /** The configuration that a running build keeps. */
  readonly configOf: (hash: string) => Promise<ConfigShape>;
  /** Of several that hold one request the first counts. */
  readonly holds: readonly HoldSource[];
  /** Asked of those that none of them holds. */
  readonly buildIfs: Pick<BuildIfs, 'holds'>;
  /** Asked of those that are to be built. */
  readonly ownLocks: Pick<OwnLocks, 'look'>;
  /** Asked last, of those that nothing else holds. */
  readonly nextBuilds: Pick<NextBuilds, 'holds'>;
  /** Requests that are not for some worker now. */
  readonly vetoes: Pick<Vetoes, 'current'>;
  readonly nowMs: () => number;
}

/** Reads all that the choice depends on; what changes meanwhile wakes the next reading. */
export async function readQueue(sources: QueueSources): Promise<QueueState> {
  const { store } = sources;
  const [requests, claims, waits] = await Promise.all([
    store.requests.pending(),
    store.locks.claims(),
    store.locks.waits(),
  ]);
  const config = sources.config();
  const nowMs = sources.nowMs();
  if (requests.length + claims.length + waits.length === 0) return { ...NOTHING, config, nowMs };
  const [running, records, lastUsed, { holds, ownLocks }, starts] = await Promise.all([
    store.builds.running(),
    store.workers.list(),
    readLastUsed(store, requests),
    readHolds(sources, requests, nowMs),
    readStarts(store, config),
  ]);
  const connected = sources.connected();
  const load = new Map<string, number>();
  for (const { worker } of running) load.set(worker, (load.get(worker) ?? 0) + 1);
  const known = new Map(records.map((record) => [record.name, record]));
  const workers = new Map<string, QueueWorker>();
  for (const name of [...known.keys(), ...connected]) {
    const record = known.get(name);
    const sinceMs = record?.sinceMs;
    const held = record && heldText(record, nowMs);
    const left = record && buildsLeft(record);
    const startedAtMs = starts.get(name);
    workers.set(name, {
      isConnected: connected.has(name),
      running: load.get(name) ?? 0,
      ...(sinceMs !== undefined && { sinceMs }),
      ...(held !== undefined && { held }),
      ...(left !== undefined && { buildsLeft: left }),
      ...(startedAtMs !== undefined && { startedAtMs }),
    });
  }
  const builds = new Map(running.map((build) => [build.id, queueBuild(build)]));
  const wakeAtMs = Math.min(
    ...records.map(({ aside }) => aside?.untilMs ?? 0).filter((ms) => ms > nowMs),
    new Spacing(config, starts, nowMs).nextMs(),
  );
  const formerLocks = await readFormerLocks(sources.configOf, running, config, claims, waits);
  const current = sources.vetoes.current(nowMs, config.hash);
  const unmasked = secretVetoes(config, connected, sources.canMask);
  const vetoes = unmasked.size === 0 ? current : new Map([...current, ...unmasked]);
  const locks = { claims, waits, formerLocks };
  return { requests, workers, lastUsed, holds, ownLocks, vetoes, builds, ...locks, config, nowMs, wakeAtMs };
}

const NOTHING: Omit<QueueState, 'config' | 'nowMs'> = {
  requests: [],
  workers: new Map(),
  lastUsed: new Map(),
  holds: new Map(),
  vetoes: new Map(),
  builds: new Map(),
  claims: [],
  waits: [],
  formerLocks: new Map(),
};

function queueBuild({ id, number, project, builder, parent }: Build): QueueBuild {
  return { id, number, project, builder, ...(parent?.waits && { parent: parent.buildId }) };
}

async function readHolds(
  { holds: sources, buildIfs, ownLocks, nextBuilds }: QueueSources,
  requests: readonly BuildRequest[],
  nowMs: number,
): Promise<Required<Pick<QueueState, 'holds' | 'ownLocks'>>> {
  const found = await Promise.all(sources.map((source) => source(requests, nowMs)));
  const holds = new Map(found.toReversed().flatMap((one) => [...one]));
  const free = (): readonly BuildRequest[] => requests.filter(({ id }) => !holds.has(id));
  const add = (more: ReadonlyMap<number, Hold>): void => more.forEach((hold, id) => holds.set(id, hold));
  add(buildIfs.holds(free()));
  const own = ownLocks.look(free());
  add(own.holds);
  add(nextBuilds.holds(free()));
  return { holds, ownLocks: own.locks };
}

/** When builds began last on the workers whose starts are spaced. */
async function readStarts(store: Store, config: ConfigShape): Promise<ReadonlyMap<string, number>> {
  const hosts = new Set(
    config.hosts.filter(({ startSpacingMs }) => startSpacingMs !== undefined).map(({ name }) => name),
  );
  const spaced = config.workers.filter(
    ({ startSpacingMs, host }) => startSpacingMs !== undefined || (host !== undefined && hosts.has(host)),
  );
  return spaced.length === 0 ? new Map() : await store.builds.lastStarts(spaced.map(({ name }) => name));
}

async function readLastUsed(store: Store, requests: QueueState['requests']): Promise<ReadonlyMap<string, string>> {
  const builders = new Map(requests.map(({ project, builder }) => [`${project}/${builder}`, { project, builder }]));
  const last = await store.builds.lastWorkers([...builders.values()]);
  return new Map(last.map(({ project, builder, worker }) => [`${project}/${builder}`, worker]));
}
