import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';

/** For people and for scripts: the id of the command they run in. */
const COMMAND_VARIABLE = 'TRUNKLINE_COMMAND';
/** The cookies of the command, and of those it runs inside of when a build runs a Trunkline of its own. */
const COOKIES_VARIABLE = 'TRUNKLINE_COOKIES';

/** What every process of a command carries in its environment: the command's id, and which spool it belongs to. */
export function cookieOf(spoolDir: string, command: string): string {
  return `${createHash('sha256').update(realpathSync(spoolDir)).digest('hex').slice(0, 16)}/${command}`;
}

/** The environment with the cookie in it, after those that this process carries itself. */
export function withCookie(
  env: Readonly<Record<string, string>>,
  command: string,
  cookie: string,
): Record<string, string> {
  const outer = process.env[COOKIES_VARIABLE];
  return { ...env, [COMMAND_VARIABLE]: command, [COOKIES_VARIABLE]: outer ? `${outer} ${cookie}` : cookie };
}

/** Whether a whole environment, as /proc/PID/environ gives it, has the cookie. */
export function carriesCookie(environ: Buffer, cookie: string): boolean {
  // A quick look first: most processes have no such variable.
  const start = `${COOKIES_VARIABLE}=`;
  for (let at = environ.indexOf(start); at >= 0; at = environ.indexOf(start, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    const value = environ.toString('utf8', at + start.length, end < 0 ? environ.length : end);
    if (value.split(' ').includes(cookie)) return true;
  }
  return false;
}
