import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { UserMistake } from '../base/errors.ts';
import { integer, list, matching, object, optional, text } from '../protocol/schema.ts';
import type { Checked } from '../protocol/schema.ts';
import { loadPrivateKey } from '../transport/keys.ts';
import { fillProxyCommand } from '../transport/proxy-command.ts';
import type { Way } from '../transport/way.ts';
import { FINGERPRINT, parseHost } from './master-address.ts';

/** The key file for the jump hosts in the worker's folder. Not its key for the masters, which may be rotated from there. */
export const JUMP_KEY = 'jump-key';
const SSH_PORT = 22;
const HOST = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** One entry of `jump` in `worker.json`. */
export const jumpHostEntry = object({
  user: matching(USER, 64),
  host: text(255),
  port: optional(integer(1, 65_535)),
  /** Fingerprints of its host key: the current one and the next. */
  hostKeys: list(matching(FINGERPRINT, 64), 8),
  /** The file of the private key to log in with, from the worker's folder on. */
  key: text(4_096),
});
export type JumpHostEntry = Checked<typeof jumpHostEntry>;

/** The way to the masters, as `worker.json` has it. */
export interface WayEntries {
  readonly jump?: readonly JumpHostEntry[];
  readonly proxyCommand?: string;
}

/** Throws a UserMistake that names the entry; `where` is the file. */
export function checkWay({ jump = [], proxyCommand }: WayEntries, where: string): void {
  for (const [index, { host, hostKeys }] of jump.entries()) {
    const entry = `${where} cannot be used: jump[${index}]`;
    if (!HOST.test(host) && !isIPv6(host)) {
      throw new UserMistake(`${entry}.host: "${host}" is no host; its port has a field of its own`);
    }
    if (hostKeys.length === 0) {
      throw new UserMistake(`${entry}.hostKeys is empty: put the fingerprint of the jump host's key there (SHA256:…)`);
    }
  }
  if (proxyCommand !== undefined) checkProxyCommand(proxyCommand, `${where} cannot be used: proxyCommand: `);
}

/** Throws a UserMistake that begins with `before`. */
export function checkProxyCommand(command: string, before: string): void {
  if (command.trim() === '' || command.includes('\0')) throw new UserMistake(`${before}it is no command`);
  try {
    fillProxyCommand(command, { host: '', port: 0, user: '' });
  } catch (error) {
    throw new UserMistake(`${before}${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** `USER@HOST[:PORT]`. */
export function parseJumpHost(given: string): { readonly user: string; readonly host: string; readonly port: number } {
  const [, user = '', rest = ''] = /^([^@]*)@(.*)$/.exec(given.trim()) ?? [];
  const address = parseHost(rest, SSH_PORT);
  if (!USER.test(user) || !address) {
    throw new UserMistake(`"${given}" is no jump host: give USER@HOST, USER@HOST:PORT or USER@[IPV6]:PORT`, {
      exitStatus: 64,
    });
  }
  return { user, ...address };
}

/** Reads the keys of the jump hosts. Rejects with a UserMistake that names the file. */
export async function loadWay(entries: WayEntries, dir: string): Promise<Way> {
  const jumpHosts = (entries.jump ?? []).map(async ({ user, host, port, hostKeys, key }) => {
    const { privateKey } = await loadPrivateKey(resolve(dir, key));
    return { user, host, port: port ?? SSH_PORT, hostKeys, privateKey };
  });
  const { proxyCommand } = entries;
  return { jumpHosts: await Promise.all(jumpHosts), ...(proxyCommand === undefined ? {} : { proxyCommand }) };
}
