import { readArguments } from '../arguments.ts';
import { followAll } from '../follow.ts';
import { queuedLines } from '../show/queued.ts';
import type { Verb } from '../verb.ts';

export const rebuild: Verb = {
  name: 'rebuild',
  usage: 'rebuild BUILD [--set] [--latest] [--reason TEXT] [--wait] [--json]',
  summary: 'asks for the same build again; --set: all that was asked for with it; --latest: of the newest revision',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, write } = context;
    const { values, positionals } = readArguments(
      args,
      {
        set: { type: 'boolean' },
        latest: { type: 'boolean' },
        reason: { type: 'string' },
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const requests = await operator.rebuild(asker, positionals[0] ?? '', {
      isLatest: values.latest ?? false,
      isWholeSet: values.set ?? false,
      ...(values.reason !== undefined && { reason: values.reason }),
    });
    const isJson = values.json ?? false;
    if (values.wait) return await followAll(context, requests, isJson);
    if (isJson) await write(`${JSON.stringify(requests)}\n`);
    else await write(queuedLines(requests));
    return 0;
  },
};
