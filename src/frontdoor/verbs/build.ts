import { readArguments } from '../arguments.ts';
import { buildPage } from '../show/build.ts';
import type { Verb } from '../verb.ts';

export const build: Verb = {
  name: 'build',
  usage: 'build BUILD [--all] [--json]',
  summary: 'one build: steps (--all: hidden ones, too), logs, properties; BUILD is an id or PROJECT/BUILDER#NUMBER',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const options = { all: { type: 'boolean' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 1, max: 1 });
    const view = await operator.build(asker, positionals[0] ?? '');
    await write(values.json ? `${JSON.stringify(view)}\n` : buildPage(view, clock.now(), values.all ?? false));
    return 0;
  },
};
