import { subjectOf } from '../../model/change.ts';
import { CHANGES_LISTED_MAX } from '../../master/operator-changes.ts';
import { readArguments, wholeNumber } from '../arguments.ts';
import { table } from '../show/table.ts';
import { when } from '../show/time.ts';
import type { Verb } from '../verb.ts';

const SUBJECT_SHOWN = 80;
const SKIPPED_SHOWN = 40;

export const changes: Verb = {
  name: 'changes',
  usage: 'changes [PROJECT] [-n COUNT] [--json]',
  summary: 'the last changes that the master was told of, newest first',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { json: { type: 'boolean' }, count: { type: 'string', short: 'n', default: '20' } },
      { min: 0, max: 1 },
    );
    const limit = wholeNumber(values.count, '-n', 1, CHANGES_LISTED_MAX);
    const [project] = positionals;
    const list = await operator.changes(asker, { limit, ...(project !== undefined && { project }) });
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write('no changes yet\n');
    else {
      const rows = list.map(({ id, project: of, branch, revision, author, sentBy, atMs, skipped, comments }) => [
        String(id),
        of,
        branch,
        revision.slice(0, 12),
        author ?? `(${sentBy})`,
        when(atMs),
        skipped === null ? '' : `skipped: ${skipped}`.slice(0, SKIPPED_SHOWN),
        subjectOf(comments).slice(0, SUBJECT_SHOWN),
      ]);
      await write(table(['CHANGE', 'PROJECT', 'BRANCH', 'REVISION', 'AUTHOR', 'CAME', 'NOT BUILT', 'COMMENT'], rows));
    }
    return 0;
  },
};
