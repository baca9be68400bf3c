import { CASES } from './cases.ts';
import { USAGE, parseOptions } from './options.ts';
import { runCases } from './run-cases.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const options = parseOptions(process.argv.slice(2));
if ('mistake' in options) {
  process.stderr.write(`${options.mistake}\n${USAGE}\n`);
  process.exitCode = 64;
} else if (options.isList) {
  for (const { id, rule, section } of options.cases) say(`${id} ${rule} (section ${section})`);
} else {
  const results = await runCases(options.cases, { ...options, onResult: ({ line }) => say(line) });
  const failed = results.filter(({ isOk }) => !isOk).length;
  say(failed === 0 ? `all ${results.length} cases are ok` : `${failed} of ${results.length} cases failed`);
  if (options.cases.length < CASES.length) say(`${CASES.length - options.cases.length} cases were not asked for`);
  process.exitCode = failed === 0 ? 0 : 1;
}
