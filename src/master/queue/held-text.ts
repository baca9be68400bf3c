import { buildsLeft } from '../../model/worker.ts';
import type { HoldKind, WorkerRecord } from '../../model/worker.ts';
import { clockSeconds, clockTime } from './clock-time.ts';

const WORDS: Readonly<Record<HoldKind, string>> = {
  paused: 'is paused',
  draining: 'is being drained',
  drained: 'is drained',
  retiring: 'is being retired',
  'retiring-now': 'is being retired',
  retired: 'was retired',
};

/** Why a worker is given no builds, for people: `is paused by ann since 12:30 UTC: disk swap`; undefined when it is given some. */
export function heldText(
  worker: Pick<WorkerRecord, 'hold' | 'leaving' | 'term' | 'aside'>,
  nowMs: number,
): string | undefined {
  const { hold, leaving, term, aside } = worker;
  if (hold) {
    const why = hold.reason === undefined ? '' : `: ${hold.reason}`;
    return `${WORDS[hold.kind]} by ${hold.by} ${hold.kind === 'retired' ? 'at' : 'since'} ${clockTime(hold.sinceMs, nowMs)}${why}`;
  }
  if (leaving) return `leaves since ${clockTime(leaving.sinceMs, nowMs)}: ${leaving.reason}`;
  if (term && buildsLeft(worker) === 0)
    return `leaves: it has had its ${term.builds === 1 ? 'one build' : `${term.builds} builds`}`;
  if (!aside || aside.untilMs <= nowMs) return undefined;
  const builds = aside.faults === 1 ? 'a build' : `${aside.faults} builds in a row`;
  return `is set aside until ${clockSeconds(aside.untilMs)}: ${builds} ended by its own fault: ${aside.reason}`;
}
