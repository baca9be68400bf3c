import { readArguments } from '../arguments.ts';
import { plain } from '../../base/plain.ts';
import type { Verb } from '../verb.ts';

export const stop: Verb = {
  name: 'stop',
  usage: 'stop BUILD|request:ID|set:ID [--reason TEXT] [--json]',
  summary: 'stops a running build, takes a request out of the queue, or both with all of a build set',
  role: 'developer',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { reason: { type: 'string' }, json: { type: 'boolean' } },
      { min: 1, max: 1 },
    );
    const name = positionals[0] ?? '';
    await operator.stop(asker, name, values.reason ?? `stopped by ${asker.name}`);
    await write(values.json ? `${JSON.stringify({ stopping: name })}\n` : `${plain(inWords(name))} is being stopped\n`);
    return 0;
  },
};

function inWords(name: string): string {
  const [, noun, id] = /^(request|set):(.*)$/.exec(name) ?? [];
  if (noun === undefined) return `build ${name}`;
  return noun === 'set' ? `build set ${id ?? ''}` : `request ${id ?? ''}`;
}
