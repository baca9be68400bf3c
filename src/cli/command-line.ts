import { Command, CommanderError } from 'commander';
import { VERSION } from './version.ts';

/** Of sysexits.h, as the verbs of the front door have it. */
const EX_USAGE = 64;

/** A command line whose commands are added next; they inherit how mistakes are told. */
export function newProgram(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .version(VERSION)
    .showHelpAfterError(`(${name} COMMAND --help says more)`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'trunkline: ')) })
    .exitOverride();
}

/** Runs what the command line says; its mistakes end with status 64. */
export async function parseCommandLine(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    // Commander has said already what is wrong; a page of help that was asked for is no mistake.
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : EX_USAGE;
  }
}
