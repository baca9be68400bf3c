import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { shellWord } from '../base/shell-word.ts';
import { PATCHES_FOLDER } from '../model/source-stamp.ts';
import { loadPrivateKey } from '../transport/keys.ts';
import type { SshPrivateKey } from '../transport/keys.ts';
import type { HookSettings } from './hooks/hook-door.ts';
import type { WebSettings } from './web-door.ts';

/** Where a master listens. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** The files of a master's folder. */
export function masterPaths(dir: string) {
  return {
    dir,
    config: join(dir, 'trunkline.config.ts'),
    settings: join(dir, 'master.json'),
    hostKey: join(dir, 'host_key'),
    publicHostKey: join(dir, 'host_key.pub'),
    /** While the host key is changed. */
    nextHostKey: join(dir, 'host_key.next'),
    /** Public halves of those that were used before. */
    oldHostKeys: join(dir, 'host_key.old.pub'),
    keysDir: join(dir, 'keys'),
    stateDir: join(dir, 'state'),
    database: join(dir, 'state', 'trunkline.sqlite'),
    logsDir: join(dir, 'state', 'logs'),
    artifactsDir: join(dir, 'artifacts'),
    filesDir: join(dir, 'state', 'files'),
    mirrorsDir: join(dir, 'state', 'mirrors'),
    patchesDir: join(dir, PATCHES_FOLDER),
    controlSocket: join(dir, 'control.sock'),
  } as const;
}
export type MasterPaths = ReturnType<typeof masterPaths>;

/** What `master.json` says. */
export interface MasterSettings {
  readonly listen: Listen;
  readonly web: WebSettings;
  /** Absent: there is no port for webhooks. */
  readonly hooks?: HookSettings;
}

const WEB: WebSettings = { host: 'localhost', port: 8080, isListening: false };

/** What the folder says of its master; refuses a folder that is none of a master's. */
export async function readSettings(paths: MasterPaths): Promise<MasterSettings> {
  let text: string;
  try {
    text = await readFile(paths.settings, 'utf8');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') {
      throw new UserMistake(`${paths.settings} cannot be read: ${errorText(error)}`, { cause: error });
    }
    throw new UserMistake(
      `${paths.dir} is no master's folder: make one with "trunkline master init ${shellWord(paths.dir)}"`,
      {
        cause: error,
      },
    );
  }
  const { listen, web, hooks } = parseObject(text);
  if (!isListen(listen)) {
    throw new UserMistake(
      `${paths.settings} does not say where to listen: write {"listen": {"host": "0.0.0.0", "port": 2222}}`,
    );
  }
  return {
    listen: { host: listen.host, port: listen.port },
    web: readWeb(web, paths.settings),
    ...(hooks !== undefined && { hooks: readHooks(hooks, paths.settings) }),
  };
}

function readWeb(web: unknown, file: string): WebSettings {
  const { host = WEB.host, port = WEB.port, listen = false } = (web ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof web !== 'object' && web !== undefined) throw badWeb(file);
  if (typeof host !== 'string' || !HOST.test(host) || typeof listen !== 'boolean') throw badWeb(file);
  // A name that nobody listens to has a port all the same.
  if (!isPort(port) || port === 0) throw badWeb(file);
  return { host, port, isListening: listen };
}

function badWeb(file: string): UserMistake {
  return new UserMistake(
    `"web" in ${file} is not as it should be: write {"host": "localhost", "port": 8080, "listen": false}, or leave it out`,
  );
}

function readHooks(hooks: unknown, file: string): HookSettings {
  const { host, port, proxied = false } = (hooks ?? {}) as Readonly<Record<string, unknown>>;
  const isGood = typeof host === 'string' && HOST.test(host) && isPort(port) && typeof proxied === 'boolean';
  if (isGood) return { host, port, isProxied: proxied };
  throw new UserMistake(
    `"hooks" in ${file} is not as it should be: write {"host": "127.0.0.1", "port": 8090, "proxied": true}, or leave it out`,
  );
}

/** A name or an address: it stands in links. */
const HOST = /^[A-Za-z0-9.:_-]{1,253}$/;

function parseObject(text: string): { readonly listen?: unknown; readonly web?: unknown; readonly hooks?: unknown } {
  try {
    return (JSON.parse(text) as { readonly listen?: unknown } | null) ?? {};
  } catch {
    return {}; // The caller says what the file has to be.
  }
}

function isListen(listen: unknown): listen is Listen {
  const { host, port } = (listen ?? {}) as { readonly host?: unknown; readonly port?: unknown };
  return typeof host === 'string' && host !== '' && isPort(port);
}

function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535;
}

/** The host key; refuses one that others on the machine may read, as sshd does. */
export async function readHostKey(paths: MasterPaths): Promise<SshPrivateKey> {
  const { hostKey } = paths;
  let mode: number;
  try {
    ({ mode } = await stat(hostKey));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      throw new UserMistake(`the host key ${hostKey} cannot be read: ${errorText(error)}`, { cause: error });
    }
    throw new UserMistake(
      `the host key ${hostKey} is missing: put the old one back from a backup (its workers know it), or make a new one with "ssh-keygen -t ed25519 -N '' -f ${hostKey}" and tell its fingerprint to every worker`,
      { cause: error },
    );
  }
  refuseOpen('the host key', hostKey, mode);
  return await loadPrivateKey(hostKey);
}

/** Throws when others on the machine may open a file with a secret in it. */
export function refuseOpen(what: string, path: string, mode: number): void {
  if ((mode & 0o077) === 0) return;
  throw new UserMistake(
    `${what} ${path} may be opened by others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${shellWord(path)}`,
  );
}
