import { Command, CommanderError } from 'commander';
import { addDemoCommand } from './demo/demo-command.ts';
import { addMasterCommands } from './master-commands.ts';
import { addWorkerCommands } from './worker-commands.ts';
import { VERSION } from './version.ts';

/** Of sysexits.h, as the verbs of the front door have it. */
const EX_USAGE = 64;

/** The command line. Each command's words are described beside it. */
const program = new Command('trunkline')
  .description('continuous integration behind one SSH port: a master and its workers')
  .version(VERSION)
  .showHelpAfterError('(trunkline COMMAND --help says more)')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'trunkline: ')) })
  .exitOverride();

addMasterCommands(program);
addWorkerCommands(program);
addDemoCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said already what is wrong; a page of help that was asked for is no mistake.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EX_USAGE;
}
