import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import { OperatorError } from './operator.ts';
import { findBuild, findStep, shown } from './operator-names.ts';
import { clockTime } from './queue/clock-time.ts';
import { Wake } from './wake.ts';

interface LogWish {
  readonly log?: string;
  readonly from: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

const SLOW_MS = 5_000;

/**
 * The bytes of a step's log from an offset, read from the store piece by piece as the caller takes them; with `follow` also
 * those that are still to come: the bus wakes, the store is read again.
 */
export async function* readLog(
  { store, bus, clock }: { readonly store: Store; readonly bus: Bus; readonly clock: Clock },
  buildName: string,
  stepName: string,
  wish: LogWish,
): AsyncGenerator<Uint8Array> {
  const build = await findBuild(store, buildName);
  const step = findStep(await store.builds.steps(build.id), stepName, buildName);
  const { follow, signal } = wish;
  let logId: number | undefined;
  const wake = new Wake(clock, SLOW_MS)
    .on(bus, 'logs', (key) => logId === undefined || key === logId)
    .on(bus, 'builds', (key) => key === build.id)
    .until(signal);
  try {
    let from = wish.from;
    for (;;) {
      // Read before the log: a build that is finished here fills no log any more.
      const isOver = !follow || (await store.builds.find(build.id))?.state !== 'running';
      const log =
        logId === undefined ? await findLog(store, build.id, step.index, wish.log) : await store.logs.find(logId);
      logId = log?.id;
      if (log?.deletedAtMs !== undefined)
        throw deleted(buildName, step.name, log.name, clockTime(log.deletedAtMs, clock.now()));
      if (log && log.length > from) {
        for await (const piece of store.logs.read(log.id, from, log.length)) {
          if (signal?.aborted) return;
          yield piece;
        }
        from = log.length;
      }
      if (signal?.aborted || log?.isComplete) return;
      if (isOver) {
        if (!log) throw noLog(buildName, step.name, wish.log);
        return;
      }
      await wake.next();
    }
  } finally {
    wake.close();
  }
}

/** The named log, or the step's first. */
async function findLog(store: Store, build: number, step: number, name: string | undefined): Promise<Log | undefined> {
  const logs = (await store.logs.list(build)).filter((log) => log.step === step);
  return name === undefined ? logs[0] : logs.find((log) => log.name === name);
}

function deleted(build: string, step: string, name: string, when: string): OperatorError {
  const log = `the log "${shown(name)}" of step "${shown(step)}" of build ${shown(build)}`;
  return new OperatorError('not-found', `${log} was deleted (${when}): the configuration says what is kept`);
}

function noLog(build: string, step: string, name: string | undefined): OperatorError {
  const which = name === undefined ? 'no log' : `no log "${shown(name)}"`;
  return new OperatorError('not-found', `step "${shown(step)}" of build ${shown(build)} has ${which}`);
}
