import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import { NAME_KINDS } from '../completion.ts';
import type { NameKind } from '../completion.ts';
import { buildName } from '../show/build.ts';
import { UsageError } from '../verb.ts';
import type { Verb, VerbContext } from '../verb.ts';

/** Builds looked at: the newest. */
const BUILDS = 100;

export const complete: Verb = {
  name: 'complete',
  usage: 'complete builders|builds|workers [--json]',
  summary: 'names, one a line, for shells that complete a line: what was built lately, and all workers',
  role: 'reader',
  async run(context) {
    const { values, positionals } = readArguments(context.args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const kind = NAME_KINDS.find((one) => one === positionals[0]);
    if (!kind) throw new UsageError(`"${positionals[0]}" is nothing that is listed here`);
    const names = [...new Set(await list(context, kind))];
    await context.write(values.json ? `${JSON.stringify(names)}\n` : names.map((name) => `${plain(name)}\n`).join(''));
    return 0;
  },
};

async function list({ operator, asker }: VerbContext, kind: NameKind): Promise<readonly string[]> {
  if (kind === 'workers') return (await operator.workers(asker)).map(({ name }) => name);
  const builds = await operator.builds(asker, { limit: BUILDS });
  if (kind === 'builds') return builds.map(buildName);
  const { waiting } = await operator.status(asker);
  return [...builds, ...waiting].map(({ project, builder }) => `${project}/${builder}`);
}
