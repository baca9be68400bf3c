import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import { when } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const tokenAdd: Verb = {
  name: 'token add',
  usage: 'token add LABEL [--role reader|developer|operator] [--expires 90d] [--json]',
  summary: "a token for a program to use the web's API as you; a reader's if nothing is said",
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { role: { type: 'string' }, expires: { type: 'string' }, json: { type: 'boolean' } },
      { min: 1, max: 1 },
    );
    const made = await operator.addToken(asker, {
      label: positionals[0] ?? '',
      ...(values.role !== undefined && { role: values.role }),
      ...(values.expires !== undefined && { expires: values.expires }),
    });
    await write(
      values.json
        ? `${JSON.stringify(made)}\n`
        : `${made.token}\nthis is shown once; token ${made.id}, for ${made.role}s, until ${when(made.expiresAtMs)} UTC\n`,
    );
    return 0;
  },
};

export const tokenList: Verb = {
  name: 'token list',
  usage: 'token list [--json]',
  summary: "your tokens; for operators, everybody's",
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.tokens(asker);
    if (values.json) {
      await write(`${JSON.stringify(list)}\n`);
      return 0;
    }
    const rows = list.map((token) => [
      token.id,
      token.who,
      token.role,
      when(token.madeAtMs),
      when(token.expiresAtMs),
      token.label,
    ]);
    await write(rows.length > 0 ? table(['TOKEN', 'WHOSE', 'ROLE', 'MADE', 'UNTIL', 'LABEL'], rows) : 'no tokens\n');
    return 0;
  },
};

export const tokenRevoke: Verb = {
  name: 'token revoke',
  usage: 'token revoke TOKEN [--json]',
  summary: 'ends a token at once; TOKEN is its id in "token list", or the token itself',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const id = await operator.revokeToken(asker, positionals[0] ?? '');
    await write(values.json ? `${JSON.stringify({ revoked: id })}\n` : `token ${id} is revoked\n`);
    return 0;
  },
};
