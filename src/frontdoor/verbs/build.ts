import { readArguments } from '../arguments.ts';
import { buildPage } from '../show/build.ts';
import type { Verb } from '../verb.ts';

export const build: Verb = {
  name: 'build',
  usage: 'build BUILD [--json]',
  summary: 'one build: steps, logs, properties; BUILD is an id or PROJECT/BUILDER#NUMBER',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const view = await operator.build(asker, positionals[0] ?? '');
    await write(values.json ? `${JSON.stringify(view)}\n` : buildPage(view, clock.now()));
    return 0;
  },
};
