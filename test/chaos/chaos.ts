import { join } from 'node:path';
import type { LockView } from '../../src/master/views/lock.ts';
import type { SchedulerView } from '../../src/master/views/scheduler.ts';
import { until } from '../support/until.ts';
import { Counter } from './counter.ts';
import { growth } from './growth.ts';
import { Holds } from './holds.ts';
import type { LedgerReport } from './ledger.ts';
import { Office } from './office.ts';
import type { ChaosOptions } from './options.ts';
import { Random } from './random.ts';
import { Site } from './site.ts';
import type { DaemonMeasure } from './site.ts';
import { Storm } from './storm.ts';
import { toldIn } from './told.ts';
import { Violations } from './violations.ts';

/** Until then all is calm: what is measured before the storm has seen each kind of build. */
const WARM_UP_BUILDS = 24;
/** A worker's longest pause before it connects is 30 s, and the machine may be busy. */
const PATIENCE_MS = 180_000;

export interface ChaosReport {
  readonly seed: number;
  readonly rounds: number;
  readonly minutes: number;
  readonly builds: number;
  readonly results: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly rotations: Readonly<Record<string, number>>;
  /** Sent, and the builds that were made of them. */
  readonly changes: { readonly sent: number; readonly builds: number };
  readonly triggered: number;
  /** Artifacts that builds took from others. */
  readonly fetched: number;
  /** Builds whose steps waited for locks. */
  readonly waitedForLocks: number;
  readonly logs: number;
  readonly logMiB: number;
  readonly mismatches: number;
  readonly ledger: LedgerReport;
  readonly leftovers: readonly string[];
  readonly before: readonly DaemonMeasure[];
  readonly after: readonly DaemonMeasure[];
  readonly violations: readonly string[];
  /** Left there to be looked at. */
  readonly folder: string | null;
}

/** Runs the farm through its storm, and reports. */
export async function chaos(options: ChaosOptions, tell: (line: string) => void): Promise<ChaosReport> {
  const { seed, minutes } = options;
  const startMs = performance.now();
  const violations = new Violations((text) => tell(`VIOLATION, seed ${seed}, ${text}`));
  const site = await Site.open(violations);
  const counter = new Counter(site.farm);
  try {
    const holds = new Holds(counter, violations);
    const office = new Office(site, counter, holds, new Random(seed, 'builds'), violations);
    const storm = new Storm(site, holds, new Random(seed, 'faults'), options.faults);
    await allConnected(counter);
    await office.run(() => office.checked >= WARM_UP_BUILDS);
    const before = await site.measure();
    tell(`${office.checked} builds are through in calm: here comes the storm`);
    let isOver = false;
    const work = office.run(() => isOver);
    // It may fail while the storm goes on; it is waited for below.
    work.catch(() => undefined);
    const endMs = performance.now() + minutes * 60_000;
    while (performance.now() < endMs && office.checked < options.builds) {
      violations.round += 1;
      await storm.round((text) => tell(`round ${violations.round}, ${office.checked} builds through: ${text}`));
    }
    isOver = true;
    tell(`calm after round ${violations.round}: ${office.checked} builds are through, the rest comes to its end`);
    await work;
    await allConnected(counter);
    const leftovers = [...(await goneLeftovers(site)), ...(await stillWaiting(counter))];
    for (const left of leftovers) violations.add(`left over: ${left}`);
    const state = join(site.farm.masterDir, 'state');
    for (const file of await toldIn(state, site.whisper)) violations.add(`a secret is told in ${file}`);
    const after = await site.measure();
    for (const what of growth(before, after)) violations.add(what);
    const ledger = await site.ledger.report();
    for (const what of ledger.startedTwice) violations.add(`started more than once: ${what}`);
    for (const what of ledger.overlaps) violations.add(`two at once: ${what}`);
    for (const what of ledger.mixedConfigurations) violations.add(`one build of two configurations: ${what}`);
    const keep = options.keep || violations.all.length > 0;
    return {
      seed,
      rounds: violations.round,
      minutes: Math.round((performance.now() - startMs) / 6_000) / 10,
      builds: office.checked,
      results: sorted(office.results),
      faults: sorted(storm.counts),
      rotations: sorted(holds.rotations),
      changes: { sent: office.changes.sent, builds: office.changes.builds },
      triggered: office.families.children,
      fetched: office.fetched,
      waitedForLocks: office.waited,
      logs: office.logs,
      logMiB: Math.round(office.bytes / 2 ** 20),
      mismatches: office.mismatches,
      ledger,
      leftovers,
      before,
      after,
      violations: violations.all,
      folder: keep ? site.farm.dir : null,
    };
  } finally {
    await counter.close();
    await site.close(options.keep || violations.all.length > 0);
  }
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries(Array.from(counts).toSorted(([a], [b]) => a.localeCompare(b)));
}

async function allConnected(counter: Counter): Promise<void> {
  const areConnected = async (): Promise<boolean> => {
    const workers = await counter.json<{ state: string }[]>('workers');
    return workers?.every(({ state }) => state === 'connected') ?? false;
  };
  await until('all workers are connected', areConnected, PATIENCE_MS);
}

/** What is left after a while in which it may still be on its way out. */
async function goneLeftovers(site: Site): Promise<readonly string[]> {
  let left: readonly string[] = [];
  try {
    await until('nothing is left over', async () => (left = await site.leftovers()).length === 0, PATIENCE_MS);
    return [];
  } catch {
    // The bound is reached: that is what is reported.
    return left;
  }
}

/** What no build is there for any more: holders of locks, those that wait for them, changes that wait for a scheduler. */
async function stillWaiting(counter: Counter): Promise<readonly string[]> {
  const locks = (await counter.json<readonly LockView[]>('locks')) ?? [];
  const schedulers = (await counter.json<readonly SchedulerView[]>('schedulers')) ?? [];
  if (locks.length === 0 || schedulers.length === 0) return ['the master cannot be asked for locks and schedulers'];
  return [
    ...locks.flatMap(({ name, waiters, places }) =>
      [...waiters, ...places.flatMap(({ holders }) => holders)].map((one) => `lock ${name}: ${JSON.stringify(one)}`),
    ),
    ...schedulers.flatMap(({ name, pendingChanges }) =>
      pendingChanges > 0 ? [`scheduler ${name}: ${pendingChanges} changes wait for it`] : [],
    ),
  ];
}
