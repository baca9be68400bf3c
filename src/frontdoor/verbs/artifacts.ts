import { plain } from '../../base/plain.ts';
import { aboutSize } from '../../base/size.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import type { Verb } from '../verb.ts';

export const artifacts: Verb = {
  name: 'artifacts',
  usage: 'artifacts BUILD [--json]',
  summary: 'the files that a build has kept',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const list = await operator.artifacts(asker, positionals[0] ?? '');
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else if (list.length === 0) await write(`build ${plain(positionals[0] ?? '')} has kept no artifacts\n`);
    else {
      const rows = list.map(({ name, size, step, sha256 }) => [name, aboutSize(size), step, sha256]);
      await write(table(['ARTIFACT', 'SIZE', 'STEP', 'SHA-256'], rows));
    }
    return 0;
  },
};

export const artifactGet: Verb = {
  name: 'artifact get',
  usage: 'artifact get BUILD NAME > FILE',
  summary: 'the bytes of an artifact, for a file',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { positionals } = readArguments(args, {}, { min: 2, max: 2 });
    for await (const piece of operator.artifact(asker, positionals[0] ?? '', positionals[1] ?? '')) await write(piece);
    return 0;
  },
};
