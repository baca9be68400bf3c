import type { StepView } from '../../master/views/build.ts';
import type { RequestView } from '../../master/views/request.ts';
import type { WorkerView } from '../../master/views/worker.ts';
import { readArguments } from '../arguments.ts';
import { awayText, buildTable } from '../show/build.ts';
import { plain } from '../../base/plain.ts';
import { troubleLine } from '../show/trouble.ts';
import { table } from '../show/table.ts';
import { howLong } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const status: Verb = {
  name: 'status',
  usage: 'status [--json]',
  summary: 'what runs, what waits and why, how many workers are here',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const view = await operator.status(asker);
    if (values.json) {
      await write(`${JSON.stringify(view)}\n`);
      return 0;
    }
    const { connected, configured } = view.workers;
    await write(`${plain(view.title)}: ${connected} of ${configured} workers connected\n`);
    const now = clock.now();
    const away = (await operator.workers(asker)).filter((one) => one.isConfigured && one.state !== 'connected');
    if (away.length > 0) await write(`away: ${away.map((one) => awayLine(one, now)).join(', ')}\n`);
    for (const trouble of view.troubles) await write(`${troubleLine(trouble, now)}\n`);
    await write(view.running.length > 0 ? `\nrunning\n${buildTable(view.running, now)}` : '\nnothing runs\n');
    for (const build of view.running) {
      if (build.workerAway)
        await write(plain(`build ${build.id}: worker ${build.worker} is ${awayText(build.workerAway, now)}`) + '\n');
      for (const step of build.steps.filter(isSaying)) {
        await write(plain(`build ${build.id}: ${step.name}: ${step.description}`) + '\n');
      }
      if (build.heldBack !== null) await write(plain(`build ${build.id}: ${build.heldBack}`) + '\n');
    }
    if (view.waiting.length > 0) {
      const rows = view.waiting.map((request) => [
        String(request.id),
        `${request.project}/${request.builder}`,
        request.owner,
        howLong(now - request.submittedAtMs),
        waitsFor(request),
      ]);
      await write(`\nwaiting\n${table(['REQUEST', 'BUILDER', 'ASKED BY', 'FOR', 'WHY'], rows)}`);
    }
    return 0;
  },
};

function isSaying({ state, description }: StepView): boolean {
  return state === 'running' && description !== null;
}

function waitsFor({ retryOf, waitsFor }: RequestView): string {
  return retryOf === null ? waitsFor : `build ${retryOf} is retried: ${waitsFor}`;
}

function awayLine(worker: WorkerView, nowMs: number): string {
  const how = worker.sinceMs === null ? 'never seen' : `for ${howLong(nowMs - worker.sinceMs)}`;
  return plain(`${worker.name} (${how})`);
}
