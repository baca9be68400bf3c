import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import type { Verb } from '../verb.ts';

export const why: Verb = {
  name: 'why',
  usage: 'why BUILD|request:ID|PROJECT/BUILDER [--json]',
  summary: 'why it waits, or why a running build stands where it does, a sentence for each cause',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    const list = await operator.why(asker, name);
    if (values.json) {
      await write(`${JSON.stringify(list)}\n`);
      return 0;
    }
    if (list.length === 0) await write(`nothing of ${plain(name)} waits or runs\n`);
    for (const { request, build, project, builder, externalId, state, causes } of list) {
      const what = build === null ? `request ${request}` : `build ${build}`;
      const asked = externalId === null ? '' : ` (${externalId})`;
      await write(plain(`${what} of ${project}/${builder}${asked}: ${state}`) + '\n');
      for (const { text } of causes) await write(`  ${plain(text)}\n`);
    }
    return 0;
  },
};
