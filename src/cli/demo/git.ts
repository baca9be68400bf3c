import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs git in a folder; its output without blanks at the ends. */
export async function runGit(cwd: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute('git', [...args], { cwd });
  return stdout.trim();
}
