import { plain } from '../../base/plain.ts';
import { aboutSize } from '../../base/size.ts';
import type { SourceView } from '../../master/views/source.ts';
import { readArguments } from '../arguments.ts';
import { sentChange } from '../show/sent-change.ts';
import { table } from '../show/table.ts';
import { howLong, howLongLeft, when } from '../show/time.ts';
import type { Verb, VerbContext } from '../verb.ts';

export const poll: Verb = {
  name: 'poll',
  usage: 'poll [PROJECT] [--json]',
  summary: 'has the source of a project polled now, or lists all that is polled, when, and why it cannot be',
  role: 'developer',
  async run(context) {
    const { args, operator, asker, write } = context;
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 1 });
    const [project] = positionals;
    if (project === undefined) return await list(context, values.json === true);
    const polled = await operator.poll(asker, project);
    if (values.json) await write(`${JSON.stringify(polled)}\n`);
    else {
      const { url, changes, leftOut } = polled;
      for (const change of changes) await write(`${plain(`${change.project}: ${sentChange(change)}`)}\n`);
      if (leftOut > 0) await write(`${leftOut} older commits were left out\n`);
      if (changes.length === 0) await write(`${plain(url)} has nothing new\n`);
    }
    return 0;
  },
};

async function list({ operator, asker, clock, write }: VerbContext, isJson: boolean): Promise<number> {
  const sources = await operator.sources(asker);
  if (isJson) await write(`${JSON.stringify(sources)}\n`);
  else if (sources.length === 0) await write("nothing is polled: no git() of the configuration has a poll: '5m'\n");
  else {
    const rows = sources.map((source) => [
      source.url,
      source.projects.join(','),
      howLong(source.everyMs),
      source.polledAtMs === null ? 'never' : when(source.polledAtMs),
      next(source, clock.now()),
      aboutSize(source.mirrorBytes),
      source.error ?? '',
    ]);
    await write(table(['REPOSITORY', 'PROJECTS', 'EVERY', 'POLLED', 'NEXT', 'MIRROR', 'ERROR'], rows));
  }
  return 0;
}

function next({ isPolling, nextAtMs }: SourceView, nowMs: number): string {
  if (isPolling || nextAtMs === null) return 'now';
  return nextAtMs > nowMs ? `in ${howLongLeft(nextAtMs - nowMs)}` : 'due';
}
