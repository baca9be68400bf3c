import { readArguments } from '../arguments.ts';
import { followOne } from '../follow.ts';
import { plain } from '../../base/plain.ts';
import type { Verb } from '../verb.ts';
import { readTarget, readWish, WISH_OPTIONS } from '../wish-words.ts';

export const force: Verb = {
  name: 'force',
  usage: 'force PROJECT/BUILDER [--branch B] [--revision R] [-p NAME=VALUE]… [--reason TEXT] [--wait] [--json]',
  summary: 'asks for a build; --wait stays until its end and exits by its result',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, write } = context;
    const { values, positionals } = readArguments(
      args,
      {
        ...WISH_OPTIONS,
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const request = await operator.force(asker, readTarget(positionals[0] ?? ''), readWish(values));
    const isJson = values.json ?? false;
    if (values.wait) return await followOne(context, request, isJson);
    await write(
      isJson ? `${JSON.stringify(request)}\n` : `request ${request.id} is queued: ${plain(request.waitsFor)}\n`,
    );
    return 0;
  },
};
