import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import { isHeld } from '../model/worker.ts';
import type { HoldKind } from '../model/worker.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { HoldWish } from './views/worker.ts';
import { shown } from './operator-names.ts';
import type { People } from './people/people.ts';
import { heldText } from './queue/held-text.ts';
import { Wake } from './wake.ts';

export interface WorkerSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly configs: Pick<Configs, 'active'>;
  readonly people: Pick<People, 'list'>;
}

type Held = HoldKind | undefined;

/** What a verb makes of a worker: of what (undefined: nothing holds it), and where there is nothing left to do. */
interface HoldChange {
  readonly action: string;
  readonly kind: Held;
  readonly from: readonly Held[];
  readonly isDone: readonly Held[];
}

const ALL_BUT_RETIRED: readonly Held[] = [undefined, 'paused', 'draining', 'drained', 'retiring', 'retiring-now'];

const CHANGES: Readonly<Record<HoldWish['to'], HoldChange>> = {
  pause: { action: 'pause a worker', kind: 'paused', from: [undefined, 'paused'], isDone: [] },
  resume: { action: 'resume a worker', kind: undefined, from: ALL_BUT_RETIRED, isDone: [] },
  drain: {
    action: 'drain a worker',
    kind: 'draining',
    from: [undefined, 'paused'],
    isDone: ['draining', 'drained'],
  },
  retire: {
    action: 'retire a worker',
    kind: 'retiring',
    from: [undefined, 'paused', 'draining', 'drained'],
    isDone: ['retiring', 'retiring-now', 'retired'],
  },
  'retire-now': {
    action: 'retire a worker now',
    kind: 'retiring-now',
    from: [undefined, 'paused', 'draining', 'drained', 'retiring'],
    isDone: ['retiring-now', 'retired'],
  },
};

const REASON_MAX = 1_000;
const SLOW_MS = 5_000;

/** Holds a worker, or lets it have builds again. Doing it twice is the same as once. */
export async function holdWorker(sources: WorkerSources, asker: Asker, name: string, wish: HoldWish): Promise<void> {
  const { store, bus, clock } = sources;
  const { action, kind, from, isDone } = CHANGES[wish.to];
  const reason = wish.reason?.slice(0, REASON_MAX);
  const detail = reason === undefined ? {} : { detail: { reason } };
  await audited(sources, asker, { action, target: name, role: 'operator', ...detail }, async () => {
    await demandKnown(sources, name);
    const sinceMs = clock.now();
    const hold = kind && { kind, by: asker.name, sinceMs, ...(reason !== undefined && { reason }) };
    const before = await store.workers.setHold(name, hold, from);
    if (wish.to === 'resume') await store.workers.noteNoFault(name);
    if (isDone.includes(before?.kind)) return;
    if (!from.includes(before?.kind)) {
      const how =
        before?.kind === 'retired' ? `let it in anew with "worker add ${name}"` : `"worker resume ${name}" first`;
      throw new OperatorError('conflict', `${name} ${heldText({ ...(before && { hold: before }) }, sinceMs)}; ${how}`);
    }
    bus.publish('workers', name);
    const now = kind === undefined ? await store.workers.find(name) : undefined;
    if (now && isHeld(now)) {
      const why = heldText(now, sinceMs) ?? '';
      throw new OperatorError('conflict', `${name} ${why}; that is its own wish: start it again on its machine`);
    }
  });
}

/** Resolves true when nothing runs there any more, false when somebody has taken the worker back, or it is held otherwise. */
export async function untilDrained(sources: WorkerSources, name: string, signal: AbortSignal): Promise<boolean> {
  const { store, bus, clock } = sources;
  const wake = new Wake(clock, SLOW_MS).on(bus, 'workers', (key) => key === name).until(signal);
  try {
    for (;;) {
      const kind = (await store.workers.find(name))?.hold?.kind;
      if (kind !== 'draining' || signal.aborted) return kind === 'drained';
      await wake.next();
    }
  } finally {
    wake.close();
  }
}

/** Throws when nobody knows a worker of this name: the configuration, its key, or a connection of the past. */
export async function demandKnown({ store, configs, people }: WorkerSources, name: string): Promise<void> {
  if (configs.active.workers.some((worker) => worker.name === name)) return;
  if (people.list().some((principal) => principal.role === 'worker' && principal.name === name)) return;
  if (await store.workers.find(name)) return;
  throw new OperatorError('not-found', `there is no worker ${shown(name)}; "workers" lists them`);
}
