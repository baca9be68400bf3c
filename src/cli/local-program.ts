import type { Command } from 'commander';
import { newProgram } from './command-line.ts';
import { addDemoCommand } from './demo/demo-command.ts';
import { addMasterCommands } from './master-commands.ts';
import { addWorkerCommands } from './worker-commands.ts';

const ELSEWHERE = `
A master elsewhere, by ssh: trunkline --master USER@HOST[:PORT] VERB …
or, with TRUNKLINE_MASTER=USER@HOST[:PORT] set: trunkline VERB …; the verb "help" lists them.`;

/** The command line. Each command's words are described beside it. */
export function localProgram(): Command {
  const program = newProgram('trunkline', 'continuous integration behind one SSH port: a master and its workers');
  program.addHelpText('after', ELSEWHERE);
  addMasterCommands(program);
  addWorkerCommands(program);
  addDemoCommand(program);
  return program;
}
