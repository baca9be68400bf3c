import { plain } from '../../base/plain.ts';
import type { SchedulerView } from '../../master/views/scheduler.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import { howLongLeft, when } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const schedulers: Verb = {
  name: 'schedulers',
  usage: 'schedulers [PROJECT] [--json]',
  summary: 'what has builds made: when it acts next, and what it waits for',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 1 });
    const list = await operator.schedulers(asker, positionals[0]);
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write('no scheduler is configured\n');
    else {
      const head = ['SCHEDULER', 'KIND', 'BUILDERS', 'NEXT', 'LAST', 'WAITS FOR'];
      await write(
        table(
          head,
          list.map((view) => row(view, clock.now())),
        ),
      );
    }
    return 0;
  },
};

function row({ project, name, kind, builders, off, nextAtMs, waitsFor, last }: SchedulerView, nowMs: number): string[] {
  const next = nextAtMs === null ? '-' : nextAtMs > nowMs ? `in ${howLongLeft(nextAtMs - nowMs)}` : 'now';
  return [`${project}/${name}`, kind, builders.join(', '), off ? 'off' : next, last ? when(last.atMs) : '-', waitsFor];
}

export const schedulerEnable: Verb = {
  name: 'scheduler enable',
  usage: 'scheduler enable PROJECT/NAME [--json]',
  summary: 'switches a scheduler on again; what came meanwhile is not built',
  role: 'developer',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    await operator.switchScheduler(asker, name, { isEnabled: true });
    await write(values.json ? `${JSON.stringify({ enabled: name })}\n` : `scheduler ${plain(name)} is on\n`);
    return 0;
  },
};

export const schedulerDisable: Verb = {
  name: 'scheduler disable',
  usage: 'scheduler disable PROJECT/NAME [--reason TEXT] [--json]',
  summary: 'switches a scheduler off, also over restarts and reloads; changes that wait for it are dropped',
  role: 'developer',
  async run({ operator, asker, args, write }) {
    const options = { reason: { type: 'string' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    const wish = { isEnabled: false, ...(values.reason && { reason: values.reason }) };
    const { dropped } = await operator.switchScheduler(asker, name, wish);
    const told = dropped === 0 ? '' : `; changes that waited for it and are not built: ${dropped}`;
    await write(
      values.json ? `${JSON.stringify({ disabled: name, dropped })}\n` : `scheduler ${plain(name)} is off${told}\n`,
    );
    return 0;
  },
};
