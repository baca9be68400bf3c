import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { UserMistake, errorText } from '../../base/errors.ts';
import { shellWord } from '../../base/shell-word.ts';
import { workerPaths } from '../../worker/worker-dir.ts';
import { startDetached } from '../detach.ts';
import { serviceUnit } from './service-unit.ts';

const run = promisify(execFile);
/** Is there while systemd runs the machine (sd_booted(3)). */
const SYSTEMD = '/run/systemd/system';

/** Starts the worker so that it is there after a restart of the machine as well; resolves to lines that say how. */
export async function keepRunning(dir: string, name: string): Promise<readonly string[]> {
  const isRoot = userInfo().uid === 0;
  if (existsSync(SYSTEMD) && (isRoot || (await hasUserManager()))) return await startUnit(dir, name, isRoot);
  await startDetached(['start', dir]);
  return [
    'there is no systemd here for this user: the worker was started in the background',
    'for its start with the machine, add this line with "crontab -e":',
    `  @reboot ${[process.execPath, workerPaths(dir).program, 'start', dir, '--detach'].map(cronWord).join(' ')}`,
  ];
}

async function startUnit(dir: string, name: string, isRoot: boolean): Promise<readonly string[]> {
  const folder = isRoot ? '/etc/systemd/system' : join(configHome(), 'systemd/user');
  const unit = `trunkline-${name}.service`;
  const systemctl = async (...words: string[]): Promise<void> => {
    try {
      await run('systemctl', [...(isRoot ? [] : ['--user']), ...words]);
    } catch (error) {
      throw new UserMistake(`systemd does not start the worker: ${errorText(error)}`, { cause: error });
    }
  };
  await mkdir(folder, { recursive: true });
  const command = [process.execPath, workerPaths(dir).program, 'start', dir];
  await writeFileAtomic(join(folder, unit), serviceUnit({ name, command, isRoot }));
  await systemctl('daemon-reload');
  await systemctl('enable', '--now', unit);
  if (isRoot) return [`systemd keeps it running: ${unit}`];
  const { username } = userInfo();
  return [
    `systemd keeps it running while you are logged in: ${unit}`,
    `for its start with the machine: loginctl enable-linger ${shellWord(username)}`,
  ];
}

/** Logged in by `su`, say, a user has none. */
async function hasUserManager(): Promise<boolean> {
  try {
    await run('systemctl', ['--user', 'show-environment']);
    return true;
  } catch {
    // No bus, no manager, or no systemctl: the same to us.
    return false;
  }
}

function configHome(): string {
  return process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
}

/** In a crontab a `%` ends the command, whatever the quotes. */
function cronWord(word: string): string {
  return shellWord(word).replaceAll('%', String.raw`\%`);
}
