import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import { EX_UNAVAILABLE, UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';

export const workerRotate: Verb = {
  name: 'worker rotate',
  usage: 'worker rotate NAME|--all [--json]',
  summary: 'lets a worker make a new key and come back with it; builds go on',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { all: { type: 'boolean' }, json: { type: 'boolean' } },
      { min: 0, max: 1 },
    );
    const [name] = positionals;
    if ((name === undefined) !== (values.all ?? false)) throw new UsageError('give the name of one worker, or --all');
    const rotations = await operator.rotateKeys(asker, name);
    if (values.json) await write(`${JSON.stringify(rotations)}\n`);
    else if (rotations.length === 0) await write('no workers yet\n');
    else {
      for (const { worker, outcome, fingerprint, message } of rotations) {
        const told = outcome === 'rotated' ? `${message}: ${fingerprint ?? ''}` : `keeps its key: ${message}`;
        await write(`${plain(`${worker}: ${told}`)}\n`);
      }
    }
    return rotations.every(({ outcome }) => outcome === 'rotated') ? 0 : EX_UNAVAILABLE;
  },
};
