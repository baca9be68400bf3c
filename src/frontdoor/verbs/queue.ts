import { readArguments } from '../arguments.ts';
import { requestsText } from '../show/build.ts';
import { table } from '../show/table.ts';
import { howLong } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const queue: Verb = {
  name: 'queue',
  usage: 'queue [--json]',
  summary: 'all requests that wait, in their order, since when and why',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.queue(asker);
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write('nothing waits\n');
    else {
      const rows = list.map(({ position, id, project, builder, owner, ageMs, retryOf, collapsed, waitsFor }) => [
        String(position),
        String(id),
        `${project}/${builder}`,
        owner,
        howLong(ageMs),
        [
          retryOf === null ? waitsFor : `build ${retryOf} is retried: ${waitsFor}`,
          ...(collapsed.length === 0 ? [] : [`in place of ${requestsText(collapsed)}`]),
        ].join('; '),
      ]);
      await write(table(['PLACE', 'REQUEST', 'BUILDER', 'ASKED BY', 'FOR', 'WHY'], rows));
    }
    return 0;
  },
};
