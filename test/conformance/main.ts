import { CASES } from './cases.ts';
import { USAGE, parseOptions } from './options.ts';
import type { Options } from './options.ts';
import { NoProgram } from './program.ts';
import { runCases } from './run-cases.ts';

const MISTAKE_STATUS = 64;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function mistake(text: string): void {
  process.stderr.write(`${text}\n`);
  process.exitCode = MISTAKE_STATUS;
}

async function play(options: Options): Promise<void> {
  const results = await runCases(options.cases, { ...options, onResult: ({ line }) => say(line) });
  const failed = results.filter(({ isOk }) => !isOk).length;
  say(failed === 0 ? `all ${results.length} cases are ok` : `${failed} of ${results.length} cases failed`);
  if (options.cases.length < CASES.length) say(`${CASES.length - options.cases.length} cases were not asked for`);
  process.exitCode = failed === 0 ? 0 : 1;
}

const options = parseOptions(process.argv.slice(2));
if ('mistake' in options) mistake(`${options.mistake}\n${USAGE}`);
else if (options.isList) for (const { id, rule, section } of options.cases) say(`${id} ${rule} (section ${section})`);
else {
  try {
    await play(options);
  } catch (error) {
    if (!(error instanceof NoProgram)) throw error;
    mistake(error.message);
  }
}
