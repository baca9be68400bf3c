import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import type { Verb } from '../verb.ts';

export const approveBuild: Verb = {
  name: 'approve-build',
  usage: 'approve-build request:ID|PROJECT#N [--revision REVISION] [--json]',
  summary: 'lets one revision of a fork be built; which one, of a pull request',
  role: 'developer',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { revision: { type: 'string' }, json: { type: 'boolean' } },
      { min: 1, max: 1 },
    );
    const view = await operator.approveBuild(asker, positionals[0] ?? '', values.revision);
    const { project, revision, requests } = view;
    const which = requests.length === 1 ? 'request' : 'requests';
    await write(
      values.json
        ? `${JSON.stringify(view)}\n`
        : `${plain(`revision ${revision} may be built by ${project}: ${which} ${requests.join(', ')}`)}\n`,
    );
    return 0;
  },
};
