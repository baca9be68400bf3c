import { newProgram, parseCommandLine } from './command-line.ts';
import { addDemoCommand } from './demo/demo-command.ts';
import { addMasterCommands } from './master-commands.ts';
import { addWorkerCommands } from './worker-commands.ts';

/** The command line. Each command's words are described beside it. */
const program = newProgram('trunkline', 'continuous integration behind one SSH port: a master and its workers');

addMasterCommands(program);
addWorkerCommands(program);
addDemoCommand(program);

await parseCommandLine(program);
