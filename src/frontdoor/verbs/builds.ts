import { readArguments, wholeNumber } from '../arguments.ts';
import { buildTable } from '../show/build.ts';
import { plain } from '../../base/plain.ts';
import { UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';

export const builds: Verb = {
  name: 'builds',
  usage: 'builds [PROJECT[/BUILDER]] [-n COUNT] [--json]',
  summary: 'the last builds, newest first',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values, positionals } = readArguments(
      args,
      { json: { type: 'boolean' }, count: { type: 'string', short: 'n', default: '20' } },
      { min: 0, max: 1 },
    );
    const limit = wholeNumber(values.count, '-n', 1, 1_000);
    const [project, builder, ...rest] = positionals[0]?.split('/') ?? [];
    if (rest.length > 0)
      throw new UsageError(`"${positionals[0]}" has too many slashes: it is PROJECT or PROJECT/BUILDER`);
    const list = await operator.builds(asker, { limit, ...(project && { project }), ...(builder && { builder }) });
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length > 0) await write(buildTable(list, clock.now()));
    else await write(project === undefined ? 'no builds yet\n' : `no builds of ${plain(positionals[0] ?? '')} yet\n`);
    return 0;
  },
};
