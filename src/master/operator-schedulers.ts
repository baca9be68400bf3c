import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { ProjectShape } from '../config/shape.ts';
import type { SchedulerShape } from '../config/scheduler-shape.ts';
import type { PendingChanges, SchedulerRecord } from '../model/scheduler.ts';
import type { Store } from '../store/store.ts';
import { audited, demand } from './audit.ts';
import type { Configs } from './configs.ts';
import type { Asker } from './operator.ts';
import { noScheduler } from './operator-names.ts';
import { findProject } from './operator-wish.ts';
import { quietUntil } from './schedulers/quiet-until.ts';
import { offText, waitsFor } from './schedulers/waits-for.ts';
import type { SchedulerView, SwitchWish } from './views/scheduler.ts';

export interface SchedulerSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly configs: Pick<Configs, 'active'>;
}

const REASON_MAX = 1_000;

/** Those of the configuration, or of one project of it. */
export async function listSchedulers(
  { store, clock, configs }: SchedulerSources,
  asker: Asker,
  of: string | undefined,
): Promise<readonly SchedulerView[]> {
  demand(asker, 'reader', 'list schedulers');
  const projects = of === undefined ? configs.active.projects : [findProject(configs.active, of)];
  const [records, pending] = await Promise.all([store.schedulers.list(), store.schedulers.pending()]);
  const nowMs = clock.now();
  return await Promise.all(
    projects.flatMap(({ name: project, schedulers }) =>
      schedulers.map(async (shape) => {
        const name = { project, scheduler: shape.name };
        const isOfIt = (one: SchedulerRecord | PendingChanges): boolean =>
          one.project === project && one.scheduler === shape.name;
        const last = await store.schedulers.lastSet(name);
        const view = viewOf(shape, records.find(isOfIt), pending.filter(isOfIt), nowMs);
        return { project, ...view, last: last ? { buildSet: last.id, atMs: last.atMs } : null };
      }),
    ),
  );
}

function viewOf(
  shape: SchedulerShape,
  record: SchedulerRecord | undefined,
  pending: readonly PendingChanges[],
  nowMs: number,
): Omit<SchedulerView, 'project' | 'last'> {
  const off = record?.off;
  return {
    name: shape.name,
    kind: shape.kind,
    builders: shape.builders,
    off: off ? { reason: null, ...off } : null,
    nextAtMs: off ? null : nextAtMs(shape, record, pending),
    waitsFor: off ? offText(off, nowMs) : waitsFor(shape, pending, nowMs),
    pendingChanges: pending.reduce((sum, { count }) => sum + count, 0),
  };
}

function nextAtMs(
  shape: SchedulerShape,
  record: SchedulerRecord | undefined,
  pending: readonly PendingChanges[],
): number | null {
  if (shape.kind === 'periodic' || shape.kind === 'nightly') return record?.nextAtMs ?? null;
  if (shape.kind !== 'onChange' && shape.kind !== 'anyBranch') return null;
  const times = pending.map((one) => quietUntil(shape, one)).filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : null;
}

/** Switches a scheduler off or on; again the same does nothing more. It lasts over restarts and reloads. */
export async function switchScheduler(
  sources: SchedulerSources,
  asker: Asker,
  name: string,
  { isEnabled, reason: given }: SwitchWish,
): Promise<{ readonly dropped: number }> {
  const { store, bus, clock, configs } = sources;
  const action = isEnabled ? 'enable a scheduler' : 'disable a scheduler';
  const reason = given?.slice(0, REASON_MAX);
  const detail = reason === undefined ? {} : { detail: { reason } };
  return await audited(sources, asker, { action, target: name, role: 'developer', ...detail }, async () => {
    const { project, shape } = findScheduler(configs.active.projects, name);
    const scheduler = { project: project.name, scheduler: shape.name };
    const off = { by: asker.name, sinceMs: clock.now(), ...(reason !== undefined && { reason }) };
    const isTimed = shape.kind === 'periodic' || shape.kind === 'nightly';
    const dropped = await store.schedulers.switch(scheduler, isEnabled ? undefined : off, !isEnabled && !isTimed);
    bus.publish('schedulers', project.name);
    return { dropped };
  });
}

/** `PROJECT/NAME`. */
function findScheduler(
  projects: readonly ProjectShape[],
  name: string,
): { readonly project: ProjectShape; readonly shape: SchedulerShape } {
  const [projectName = '', schedulerName = ''] = name.split('/');
  const project = projects.find((one) => one.name === projectName);
  const shape = project?.schedulers.find((one) => one.name === schedulerName);
  if (!project || !shape) throw noScheduler(name);
  return { project, shape };
}
