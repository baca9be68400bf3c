import { readArguments } from '../arguments.ts';
import { followAll } from '../follow.ts';
import { queuedLines } from '../show/queued.ts';
import { UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';
import { readTargets, readWish, WISH_OPTIONS } from '../wish-words.ts';

export const tryVerb: Verb = {
  name: 'try',
  usage:
    'try PROJECT/BUILDER[,BUILDER]… --revision R [--branch B] [-p NAME=VALUE]… [--reason TEXT] [--external-id ID] [--wait] [--json] < PATCH',
  summary: 'asks for builds of a revision with a patch on top, which is read from standard input',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, stdin, write } = context;
    const { values, positionals } = readArguments(
      args,
      {
        ...WISH_OPTIONS,
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    if (context.isTerminal) throw new UsageError('a terminal is no place for a patch: call ssh without -t');
    const requests = await operator.tryPatch(asker, readTargets(positionals[0] ?? ''), readWish(values), stdin);
    const isJson = values.json ?? false;
    if (values.wait) return await followAll(context, requests, isJson);
    if (isJson) await write(`${JSON.stringify(requests)}\n`);
    else await write(queuedLines(requests));
    return 0;
  },
};
