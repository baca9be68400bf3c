import { basename } from 'node:path';
import { shellWord } from '../../base/shell-word.ts';
import { newProgram, parseCommandLine } from '../command-line.ts';
import { addWorkerVerbs } from '../worker-commands.ts';
import { addJoinCommand } from './join-command.ts';

/** The command line of the single-file worker: what `trunkline worker` has, and `--version`. */
export async function runWorkerFile(keeperProgram: readonly string[]): Promise<void> {
  const [file = 'worker.mjs'] = keeperProgram;
  const program = newProgram(basename(file), 'a Trunkline worker in one file');
  addWorkerVerbs(program, { words: [], called: `node ${shellWord(file)}`, keeperProgram });
  addJoinCommand(program);
  await parseCommandLine(program);
}
