import type { BuilderView } from '../../master/views/builder.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import { when } from '../show/time.ts';
import type { Verb } from '../verb.ts';

/** So much of a description's first line stands in the table. */
const DESCRIPTION_SHOWN = 60;

export const builders: Verb = {
  name: 'builders',
  usage: 'builders [PROJECT] [--tag TAG]… [--json]',
  summary: 'what may be built, by its tags if wanted: what runs, what waits, how the last build ended',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const options = { tag: { type: 'string', multiple: true }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 0, max: 1 });
    const { tag: tags = [] } = values;
    const [project] = positionals;
    const list = await operator.builders(asker, { tags, ...(project !== undefined && { project }) });
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write(`no builder has ${tags.length === 1 ? 'this tag' : 'these tags'}\n`);
    else await write(table(['BUILDER', 'RUNS', 'WAIT', 'LAST', 'ENDED', 'TAGS', 'DESCRIPTION'], list.map(row)));
    return 0;
  },
};

function row({ project, name, description, tags, running, waiting, last }: BuilderView): string[] {
  return [
    `${project}/${name}`,
    String(running),
    String(waiting),
    last ? last.result : '-',
    last ? when(last.finishedAtMs) : '-',
    tags.length > 0 ? tags.join(' ') : '-',
    firstLine(description ?? ''),
  ];
}

function firstLine(text: string): string {
  const line = text.trimStart().split('\n')[0] ?? '';
  return line.length <= DESCRIPTION_SHOWN ? line : `${line.slice(0, DESCRIPTION_SHOWN - 1)}…`;
}
