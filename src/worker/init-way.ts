import { resolve } from 'node:path';
import { UserMistake } from '../base/errors.ts';
import { loadPrivateKey } from '../transport/keys.ts';
import { SshConnectError } from '../transport/ssh-connect-error.ts';
import { readHostKey } from '../transport/ssh-client.ts';
import type { JumpHost, Way } from '../transport/way.ts';
import { JUMP_KEY, checkProxyCommand, parseJumpHost } from './jump-hosts.ts';
import type { JumpHostEntry, WayEntries } from './jump-hosts.ts';
import { FINGERPRINT } from './master-address.ts';
import type { MasterAddress } from './master-address.ts';

export interface HostKeyQuestion {
  /** `the master HOST:PORT`, or a jump host. */
  readonly whose: string;
  /** What would have named the key. */
  readonly option: string;
}

/** Asks a person whether a host key is the right one. */
export type Confirm = (fingerprint: string, question: HostKeyQuestion) => Promise<boolean>;

export interface InitWayOptions {
  /** `USER@HOST[:PORT]`, in this order. */
  readonly jump?: readonly string[];
  /** The fingerprint of each jump host's key, in the same order. One that is not given is asked for. */
  readonly jumpHostKeys?: readonly string[];
  /** Files of private keys: one for all jump hosts, or one for each. Without them the worker gets a new one. */
  readonly jumpKeys?: readonly string[];
  readonly proxyCommand?: string;
  readonly confirm?: Confirm;
}

/** A way for `worker.json`. */
export interface MadeWay {
  readonly entries: WayEntries;
  /** The same way for asking what is behind it; undefined where it needs a new key, which nobody knows yet. */
  readonly open: Way | undefined;
}

/** Rejects with a UserMistake; changes nothing. */
export async function makeWay(options: InitWayOptions): Promise<MadeWay> {
  const { jump = [], jumpHostKeys = [], jumpKeys = [], proxyCommand } = options;
  if (proxyCommand !== undefined) checkProxyCommand(proxyCommand, '--proxy-command: ');
  for (const fingerprint of jumpHostKeys) checkFingerprint(fingerprint, '"ssh-keygen -lf" on the jump host prints it');
  if (jumpHostKeys.length > jump.length) {
    throw mistake(`${jumpHostKeys.length} host keys of jump hosts are given, but ${jump.length} jump hosts`);
  }
  if (jumpKeys.length > 1 && jumpKeys.length !== jump.length) {
    throw mistake(`give one --jump-key for all jump hosts, or one for each of the ${jump.length} in their order`);
  }
  if (jumpKeys.length > 0 && jump.length === 0) throw mistake('--jump-key is of no use without --jump');

  const proxy = proxyCommand === undefined ? {} : { proxyCommand };
  const addresses = jump.map(parseJumpHost);
  const entries: JumpHostEntry[] = [];
  let open: JumpHost[] | undefined = [];
  for (const [index, address] of addresses.entries()) {
    const keyFile = jumpKeys[index] ?? jumpKeys[0];
    const key = keyFile === undefined ? undefined : resolve(keyFile);
    const loaded = key === undefined ? undefined : await loadPrivateKey(key);
    const known = jumpHostKeys[index];
    const way: Way | undefined = open && { jumpHosts: open, ...proxy };
    const hostKey: string =
      known ?? (await askHostKey(address, 'the jump host', '--jump-host-key', way, options.confirm));
    entries.push({ ...address, hostKeys: [hostKey], key: key ?? JUMP_KEY });
    open = open && loaded && [...open, { ...address, hostKeys: [hostKey], privateKey: loaded.privateKey }];
  }
  return {
    entries: { ...(entries.length > 0 && { jump: entries }), ...proxy },
    open: open && { jumpHosts: open, ...proxy },
  };
}

export function checkFingerprint(fingerprint: string, where: string): void {
  if (!FINGERPRINT.test(fingerprint)) {
    throw mistake(`"${fingerprint}" is no fingerprint of a host key: it looks like SHA256:… and ${where}`);
  }
}

/** The host key that is shown at an address, once a person said that it is right. Rejects with a UserMistake. */
export async function askHostKey(
  address: MasterAddress,
  noun: 'the master' | 'the jump host',
  option: '--host-key' | '--jump-host-key',
  way: Way | undefined,
  confirm: Confirm | undefined,
): Promise<string> {
  const whose = `${noun} ${address.host}:${address.port}`;
  if (!way) {
    throw new UserMistake(
      `${whose} cannot be asked for its host key: the jump host before it does not know the worker's key yet; give it with ${option}`,
    );
  }
  const shown = await showHostKey(address, way, whose, option);
  if (!confirm) {
    throw new UserMistake(`${whose} shows host key ${shown}: compare it, then give it with ${option} ${shown}`);
  }
  if (!(await confirm(shown, { whose, option }))) {
    throw new UserMistake(`the host key ${shown} of ${whose} was not accepted: nothing was made`);
  }
  return shown;
}

async function showHostKey(address: MasterAddress, way: Way, whose: string, option: string): Promise<string> {
  try {
    return (await readHostKey({ ...address, way })).fingerprint;
  } catch (error) {
    if (!(error instanceof SshConnectError)) throw error;
    const hint = option === '--host-key' ? ' ("master init" printed it)' : '';
    throw new UserMistake(
      `${whose} cannot be asked for its host key: ${error.message}: see that it can be reached, or give its fingerprint with ${option}${hint}`,
      { cause: error },
    );
  }
}

function mistake(text: string): UserMistake {
  return new UserMistake(text, { exitStatus: 64 });
}
