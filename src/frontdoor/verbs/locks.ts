import type { LockHolderView, LockPlaceView, LockView, LockWaiterView } from '../../master/views/lock.ts';
import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import { howLong } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const locks: Verb = {
  name: 'locks',
  usage: 'locks [NAME] [--json]',
  summary: 'all locks, or one: its slots, who holds it, and who waits for it, in their order',
  role: 'reader',
  async run({ operator, asker, clock, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 1 });
    const list = await operator.locks(asker, positionals[0]);
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write('the configuration has no locks\n');
    for (const lock of values.json ? [] : list) await write(lockPage(lock, clock.now()));
    return 0;
  },
};

function lockPage({ name, scope, isGone, places, waiters }: LockView, nowMs: number): string {
  const of = scope === 'farm' ? 'of the farm' : `of each ${scope}`;
  const lines = [
    `lock ${name}, ${of}${isGone ? ', gone from the configuration' : ''}`,
    ...(places.length === 0 ? ['  nobody holds it'] : places.flatMap((place) => placeLines(place, nowMs))),
    ...waiters.map((waiter, index) => `  ${index + 1}. ${waiterText(waiter, nowMs)}`),
  ];
  return lines.map((line) => `${plain(line)}\n`).join('');
}

function placeLines({ place, slots, used, holders }: LockPlaceView, nowMs: number): readonly string[] {
  const where = place === null ? '' : `on ${place}: `;
  return [
    `  ${where}${used} of ${slots} ${slots === 1 ? 'slot' : 'slots'} in use`,
    ...holders.map((holder) => `    held by ${holderText(holder, nowMs)}`),
  ];
}

function holderText(holder: LockHolderView, nowMs: number): string {
  return `${buildText(holder) ?? 'a build you may not see'}, ${amount(holder)}, for ${howLong(nowMs - holder.sinceMs)}`;
}

function waiterText(waiter: LockWaiterView, nowMs: number): string {
  const { request, project, builder, sinceMs, waitsFor } = waiter;
  const who = request === null ? buildText(waiter) : `request ${request} ${project}/${builder}`;
  const why = waitsFor === null ? '' : `: ${waitsFor}`;
  return `${who ?? 'what you may not see'}, ${amount(waiter)}, for ${howLong(nowMs - sinceMs)}${why}`;
}

/** Undefined of what may not be seen. */
function buildText({ build, project, builder, number, step }: LockHolderView): string | undefined {
  return build === null ? undefined : `build ${build} ${project}/${builder}#${number}${stepText(step)}`;
}

function stepText(step: string | null): string {
  return step === null ? '' : ` step ${step}`;
}

function amount({ mode, units }: Pick<LockHolderView, 'mode' | 'units'>): string {
  return mode === 'exclusive' ? 'all of it' : `${units} ${units === 1 ? 'unit' : 'units'}`;
}
