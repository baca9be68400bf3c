import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errorCode, errorText, UserMistake } from '../../base/errors.ts';
import { shellWord } from '../../base/shell-word.ts';
import type { SourceAccess } from '../../config/shape.ts';
import { refuseOpen } from '../master-dir.ts';
import { readSecret } from '../reporters/read-secret.ts';

/** How git is called for one repository: what stands before its command, and its environment. */
export interface GitAccess {
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

const CONNECT_SECONDS = 20;
/** A server that sends less than this for so long is given up. */
const LOW_SPEED = { bytesPerSecond: 1_000, seconds: 60 } as const;
/** The master's own environment may hold what is nobody's business, and `GIT_…` that would lead elsewhere. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'http_proxy',
  'https_proxy',
  'no_proxy',
];
/** Tells git the password from its environment, which only this account may read, instead of from words that all may. */
const HELPER =
  '!f() { [ "$1" = get ] && printf "username=%s\\npassword=%s\\n" "$TRUNKLINE_GIT_USER" "$TRUNKLINE_GIT_PASSWORD"; }; f';

/**
 * Never asks anybody, runs no hook, nothing that a URL names, and nothing behind our back. Rejects with a
 * `UserMistake` when a file with a secret is missing or open to others.
 */
export async function gitAccess(dir: string, url: string, access: SourceAccess): Promise<GitAccess> {
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(
      PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    ),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_SSH_VARIANT: 'ssh',
    GIT_SSH_COMMAND: await sshCommand(dir, access),
  };
  const settings = {
    'core.hooksPath': '/dev/null',
    'core.fsmonitor': 'false',
    'protocol.ext.allow': 'never',
    // It would outlive its git, and the master.
    'gc.autoDetach': 'false',
    'maintenance.autoDetach': 'false',
    'credential.helper': '',
    'http.lowSpeedLimit': String(LOW_SPEED.bytesPerSecond),
    'http.lowSpeedTime': String(LOW_SPEED.seconds),
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  if (!access.login) return { words, env };
  const { user, passwordFile } = access.login;
  const password = await readSecret('the password file of a source', dir, passwordFile);
  // For this server alone, wherever it redirects to.
  const { origin } = new URL(url);
  return {
    words: [...words, '-c', `credential.${origin}.helper=${HELPER}`],
    env: { ...env, TRUNKLINE_GIT_USER: user, TRUNKLINE_GIT_PASSWORD: password },
  };
}

async function sshCommand(dir: string, { sshKeyFile, knownHostsFile }: SourceAccess): Promise<string> {
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=yes', `ConnectTimeout=${CONNECT_SECONDS}`];
  const key =
    sshKeyFile === undefined ? undefined : await secretFile('the ssh key of a source', resolve(dir, sshKeyFile));
  if (key !== undefined) options.push('IdentitiesOnly=yes', 'IdentityAgent=none');
  if (knownHostsFile !== undefined) {
    const path = resolve(dir, knownHostsFile);
    await mustBeThere('the known hosts of a source', path);
    options.push(`UserKnownHostsFile="${path}"`, 'GlobalKnownHostsFile=none');
  }
  const words = [
    'ssh',
    '-F',
    'none',
    ...(key === undefined ? [] : ['-i', key]),
    ...options.flatMap((one) => ['-o', one]),
  ];
  return words.map(shellWord).join(' ');
}

async function secretFile(what: string, path: string): Promise<string> {
  refuseOpen(what, path, await mustBeThere(what, path));
  return path;
}

async function mustBeThere(what: string, path: string): Promise<number> {
  try {
    return (await stat(path)).mode;
  } catch (error) {
    const why = errorCode(error) === 'ENOENT' ? 'is missing: put it there' : errorText(error);
    throw new UserMistake(`${what} ${path} ${why}`, { cause: error });
  }
}
