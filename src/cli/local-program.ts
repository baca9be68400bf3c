import type { Command } from 'commander';
import { newProgram } from './command-line.ts';
import { addDemoCommand } from './demo/demo-command.ts';
import { UserMistake } from '../base/errors.ts';
import { SCRIPTS } from './completion/scripts.ts';
import { runCommand } from './run-command.ts';
import { addMasterCommands } from './master-commands.ts';
import { addWorkerCommands } from './worker-commands.ts';

const ELSEWHERE = `
A master elsewhere, by ssh: trunkline --master USER@HOST[:PORT] VERB …
or, with TRUNKLINE_MASTER=USER@HOST[:PORT] set: trunkline VERB …; the verb "help" lists them.`;

async function printScript(shell: string): Promise<void> {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    const what = `there is no completion for "${shell}": ${Object.keys(SCRIPTS).join(', ')} are known`;
    throw new UserMistake(what, { exitStatus: 64 });
  }
  await new Promise((resolve) => process.stdout.write(script, resolve));
}

/** The command line. Each command's words are described beside it. */
export function localProgram(): Command {
  const program = newProgram('trunkline', 'continuous integration behind one SSH port: a master and its workers');
  program.addHelpText('after', ELSEWHERE);
  addMasterCommands(program);
  addWorkerCommands(program);
  addDemoCommand(program);
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print what teaches a shell to complete commands, verbs and names')
    .action((shell: string) => runCommand(() => printScript(shell)));
  return program;
}
