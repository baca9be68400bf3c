import { readArguments, wholeNumber } from '../arguments.ts';
import { LogText } from '../show/log-text.ts';
import type { Verb } from '../verb.ts';

export const log: Verb = {
  name: 'log',
  usage: 'log [-f] [--raw] [--from BYTE] [--log NAME] BUILD STEP',
  summary: "a step's log, safe for a terminal; --raw: byte for byte, for a file; -f follows it to its end",
  role: 'reader',
  async run({ operator, asker, args, write, signal }) {
    const { values, positionals } = readArguments(
      args,
      {
        follow: { type: 'boolean', short: 'f' },
        raw: { type: 'boolean' },
        from: { type: 'string', default: '0' },
        log: { type: 'string' },
      },
      { min: 2, max: 2 },
    );
    const pieces = operator.log(asker, positionals[0] ?? '', positionals[1] ?? '', {
      from: wholeNumber(values.from, '--from', 0, Number.MAX_SAFE_INTEGER),
      follow: values.follow ?? false,
      signal,
      ...(values.log !== undefined && { log: values.log }),
    });
    const text = new LogText();
    for await (const piece of pieces) await write(values.raw ? piece : text.add(piece));
    if (!values.raw) await write(text.end());
    return 0;
  },
};
