import { plain } from '../../base/plain.ts';
import { readChanges } from '../../master/changes/read-changes.ts';
import type { ChangeWish } from '../../master/views/change.ts';
import { readArguments } from '../arguments.ts';
import { sentChange } from '../show/sent-change.ts';
import { UsageError } from '../verb.ts';
import type { Verb, VerbContext } from '../verb.ts';
import { readProperties } from '../wish-words.ts';

const JSON_MAX_BYTES = 4 * 1024 * 1024;
const COMMENTS_MAX_BYTES = 1024 * 1024;

const OPTIONS = {
  branch: { type: 'string' },
  revision: { type: 'string' },
  author: { type: 'string' },
  committer: { type: 'string' },
  file: { type: 'string', multiple: true },
  category: { type: 'string' },
  revlink: { type: 'string' },
  codebase: { type: 'string' },
  'external-id': { type: 'string' },
  property: { type: 'string', short: 'p', multiple: true },
  key: { type: 'string' },
  'comments-stdin': { type: 'boolean' },
  'json-stdin': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;
type Values = ReturnType<typeof readArguments<typeof OPTIONS>>['values'];

export const sendchange: Verb = {
  name: 'sendchange',
  usage:
    'sendchange PROJECT --branch B --revision R [--author A] [--committer C] [--file F]… [--category C] [--revlink URL] [--codebase C] [--external-id ID] [-p NAME=VALUE]… [--key K] [--comments-stdin] [--json] | sendchange PROJECT --json-stdin [--json]',
  summary:
    'tells of a change, which is built where the configuration says so; a change that is known already is left alone',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, write } = context;
    const { values, positionals } = readArguments(args, OPTIONS, { min: 1, max: 1 });
    const changes = values['json-stdin']
      ? readChanges(await jsonAlone(context, values))
      : [await inWords(context, values)];
    const sent = await operator.sendChanges(asker, positionals[0] ?? '', changes);
    if (values.json) await write(`${JSON.stringify(sent)}\n`);
    else for (const one of sent) await write(plain(sentChange(one)) + '\n');
    return 0;
  },
};

async function jsonAlone({ readStdin }: VerbContext, values: Values): Promise<string> {
  const other = Object.keys(values).find((name) => name !== 'json-stdin' && name !== 'json');
  if (other !== undefined) throw new UsageError(`--${other} and --json-stdin do not go together`);
  return await readStdin(JSON_MAX_BYTES);
}

async function inWords({ readStdin }: VerbContext, values: Values): Promise<ChangeWish> {
  const {
    branch,
    revision,
    author,
    committer,
    file,
    category,
    revlink,
    codebase,
    property,
    key,
    'external-id': externalId,
  } = values;
  if (branch === undefined || revision === undefined) throw new UsageError('--branch and --revision are needed');
  const comments = values['comments-stdin'] ? await readStdin(COMMENTS_MAX_BYTES) : undefined;
  return {
    branch,
    revision,
    ...(author !== undefined && { author }),
    ...(committer !== undefined && { committer }),
    ...(comments !== undefined && { comments }),
    ...(file && { files: file }),
    ...(category !== undefined && { category }),
    ...(revlink !== undefined && { revlink }),
    ...(codebase !== undefined && { codebase }),
    ...(externalId !== undefined && { externalId }),
    ...(property && { properties: readProperties(property) }),
    ...(key !== undefined && { key }),
  };
}
