import { readArguments, wholeNumber } from '../arguments.ts';
import { testsAtLength, testsPage } from '../show/tests.ts';
import { UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';

export const tests: Verb = {
  name: 'tests',
  usage: 'tests BUILD [--failed|--all] [--details] [-n COUNT] [--after ID] [--json]',
  summary: 'its tests that failed or were skipped, with new and flaky failures marked',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      {
        json: { type: 'boolean' },
        failed: { type: 'boolean' },
        all: { type: 'boolean' },
        details: { type: 'boolean' },
        count: { type: 'string', short: 'n', default: '100' },
        after: { type: 'string', default: '0' },
      },
      { min: 1, max: 1 },
    );
    if (values.failed && values.all) throw new UsageError('--failed and --all are two things');
    const view = await operator.tests(asker, positionals[0] ?? '', {
      which: values.failed ? 'failing' : values.all ? 'all' : 'notable',
      limit: wholeNumber(values.count, '-n', 1, 1_000),
      after: wholeNumber(values.after, '--after', 0, Number.MAX_SAFE_INTEGER),
    });
    const page = values.details ? testsAtLength : testsPage;
    await write(values.json ? `${JSON.stringify(view)}\n` : page(view));
    return 0;
  },
};
