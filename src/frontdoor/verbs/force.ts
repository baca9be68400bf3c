import { readArguments } from '../arguments.ts';
import { followOne } from '../follow.ts';
import { plain } from '../../base/plain.ts';
import type { Verb } from '../verb.ts';
import { readProperties, readTarget } from '../wish-words.ts';

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
        branch: { type: 'string' },
        revision: { type: 'string' },
        property: { type: 'string', short: 'p', multiple: true, default: [] },
        reason: { type: 'string' },
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const request = await operator.force(asker, readTarget(positionals[0] ?? ''), {
      properties: readProperties(values.property),
      ...(values.branch !== undefined && { branch: values.branch }),
      ...(values.revision !== undefined && { revision: values.revision }),
      ...(values.reason !== undefined && { reason: values.reason }),
    });
    const isJson = values.json ?? false;
    if (values.wait) return await followOne(context, request, isJson);
    await write(
      isJson ? `${JSON.stringify(request)}\n` : `request ${request.id} is queued: ${plain(request.waitsFor)}\n`,
    );
    return 0;
  },
};
