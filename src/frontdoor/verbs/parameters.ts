import { plain } from '../../base/plain.ts';
import { rangeInWords } from '../../model/parameter.ts';
import type { Parameter } from '../../model/parameter.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import type { Verb } from '../verb.ts';
import { readTarget } from '../wish-words.ts';

export const parameters: Verb = {
  name: 'parameters',
  usage: 'parameters PROJECT/BUILDER [--json]',
  summary: 'what "force" may be told of a build by -p NAME=VALUE, and what it must be told',
  role: 'reader',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const forms = await operator.parameters(asker, readTarget(positionals[0] ?? ''));
    if (values.json) {
      await write(`${JSON.stringify(forms)}\n`);
      return 0;
    }
    for (const { project, scheduler, isReasonRequired, parameters: list, workers } of forms) {
      const reason = isReasonRequired ? '; it wants a --reason' : '';
      if (list === null) await write(`${project}/${scheduler}: any property may be given${reason}\n`);
      else if (list.length === 0) await write(`${project}/${scheduler}: no property may be given${reason}\n`);
      else {
        await write(`${project}/${scheduler}: these properties may be given${reason}\n`);
        await write(table(['NAME', 'VALUE', 'IF NOT GIVEN', 'IS'], list.map(row)));
      }
      await write(plain(`--worker takes one of ${workers.join(', ')}`) + '\n');
    }
    return 0;
  },
};

function row(parameter: Parameter): string[] {
  const { name, label = '', isRequired, default: otherwise } = parameter;
  const value = otherwise === undefined ? '' : typeof otherwise === 'string' ? otherwise : JSON.stringify(otherwise);
  return [name, rangeInWords(parameter), isRequired ? 'refused' : value, label];
}
