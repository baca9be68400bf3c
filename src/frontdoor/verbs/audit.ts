import { readArguments, wholeNumber } from '../arguments.ts';
import { table } from '../show/table.ts';
import { when } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const audit: Verb = {
  name: 'audit',
  usage: 'audit [-n COUNT] [--json]',
  summary: 'who asked for what, newest first, also what was refused',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values } = readArguments(
      args,
      { json: { type: 'boolean' }, count: { type: 'string', short: 'n', default: '20' } },
      { min: 0, max: 0 },
    );
    const entries = await operator.audit(asker, wholeNumber(values.count, '-n', 1, 1_000));
    if (values.json) await write(`${JSON.stringify(entries)}\n`);
    else {
      const rows = entries.map(({ atMs, who, action, target, detail }) => [
        when(atMs),
        who,
        action,
        target,
        detail === undefined ? '' : JSON.stringify(detail),
      ]);
      await write(rows.length > 0 ? table(['AT', 'WHO', 'ACTION', 'TARGET', 'DETAIL'], rows) : 'nothing yet\n');
    }
    return 0;
  },
};
