import { readArguments } from '../arguments.ts';
import { followOne } from '../follow.ts';
import { plain } from '../../base/plain.ts';
import { UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';
import { readTarget, readWish, WISH_OPTIONS } from '../wish-words.ts';

export const force: Verb = {
  name: 'force',
  usage:
    'force PROJECT/BUILDER [--branch B] [--revision R] [-p NAME=VALUE]… [--reason TEXT] [--external-id ID] [--worker NAME] [--priority N] [--scheduler NAME] [--wait] [--json]',
  summary: 'asks for a build; --wait stays until its end and exits by its result',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, write } = context;
    const { values, positionals } = readArguments(
      args,
      {
        ...WISH_OPTIONS,
        worker: { type: 'string' },
        priority: { type: 'string' },
        scheduler: { type: 'string' },
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const { worker, priority, scheduler } = values;
    const request = await operator.force(asker, readTarget(positionals[0] ?? ''), {
      ...readWish(values),
      ...(worker !== undefined && { worker }),
      ...(priority !== undefined && { priority: readPriority(priority) }),
      ...(scheduler !== undefined && { scheduler }),
    });
    const isJson = values.json ?? false;
    if (values.wait) return await followOne(context, request, isJson);
    await write(
      isJson ? `${JSON.stringify(request)}\n` : `request ${request.id} is queued: ${plain(request.waitsFor)}\n`,
    );
    return 0;
  },
};

/** What is out of bounds is told by the operator, who also tells who may say one. */
function readPriority(text: string): number {
  if (/^[+-]?\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--priority wants a whole number, not "${text}"`);
}
