import { plainLines } from '../base/plain.ts';
import { UserMistake, errorCode } from '../base/errors.ts';

/** Runs a command's work; a mistake of the user's is one line on stderr and an exit status, anything else also its stack. */
export async function runCommand(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.stderr.write(plainLines(`trunkline: ${explain(error)}\n`));
    process.exitCode = error instanceof UserMistake ? error.exitStatus : 1;
  }
}

function explain(error: unknown): string {
  if (error instanceof UserMistake) return error.message;
  if (!(error instanceof Error)) return String(error);
  // A system error (no space left, no permission) names its file by itself; its stack would help nobody.
  if (errorCode(error) !== undefined && 'syscall' in error) return error.message;
  return error.stack ?? error.message;
}
