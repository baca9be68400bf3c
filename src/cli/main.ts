import { Command } from 'commander';
import { addDemoCommand } from './demo/demo-command.ts';
import { addMasterCommands } from './master-commands.ts';
import { addWorkerCommands } from './worker-commands.ts';
import { VERSION } from './version.ts';

/** The command line. Each command's words are described beside it. */
const program = new Command('trunkline')
  .description('continuous integration behind one SSH port: a master and its workers')
  .version(VERSION)
  .showHelpAfterError('(trunkline COMMAND --help says more)');

addMasterCommands(program);
addWorkerCommands(program);
addDemoCommand(program);

await program.parseAsync();
