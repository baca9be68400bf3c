import { UserMistake } from '../../base/errors.ts';
import { shellWord } from '../../base/shell-word.ts';
import { isLocalCommand } from '../local-commands.ts';

/** A verb for a master elsewhere. */
export interface RemoteCall {
  /** `[USER@]HOST[:PORT]`, not checked yet. */
  readonly master: string;
  readonly words: readonly string[];
}

const OPTION = '--master';
export const MASTER_VARIABLE = 'TRUNKLINE_MASTER';

/**
 * What the command line asks of a master elsewhere: all of it after `--master`, and with `TRUNKLINE_MASTER` whatever is no command
 * of this program. Undefined: it is for this machine.
 */
export function readRemoteCall(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RemoteCall | undefined {
  const [first, second, ...rest] = args;
  if (first === OPTION) {
    if (second === undefined) throw new UserMistake(`${OPTION} wants USER@HOST[:PORT]`, { exitStatus: 64 });
    return { master: second, words: rest };
  }
  if (first?.startsWith(`${OPTION}=`)) return { master: first.slice(OPTION.length + 1), words: args.slice(1) };
  const master = env[MASTER_VARIABLE];
  if (!master || first === undefined || first.startsWith('-') || isLocalCommand(args)) return undefined;
  return { master, words: args };
}

/**
 * The arguments of stock ssh for a call; agent, configuration and known hosts are its own business. Without a port it is the one of
 * ssh's configuration. No terminal is asked for: no verb has a use for it, and ^C ends ssh itself.
 */
export function sshArguments({ master, words }: RemoteCall): readonly string[] {
  const [, user, ipv6, name, port] =
    /^(?:([^@\s]+)@)?(?:\[([0-9a-f:.]+)\]|([^:@\s[\]]+))(?::(\d{1,5}))?$/i.exec(master) ?? [];
  const host = ipv6 ?? name;
  const isOption = [user, host].some((part) => part?.startsWith('-'));
  if (host === undefined || isOption || Number(port ?? 1) > 65_535) {
    throw new UserMistake(`"${master}" names no master: give USER@HOST or USER@HOST:PORT`, { exitStatus: 64 });
  }
  const command = words.length > 0 ? words.map(shellWord).join(' ') : 'help';
  return [
    '-T',
    ...(port === undefined ? [] : ['-p', port]),
    '--',
    user === undefined ? host : `${user}@${host}`,
    command,
  ];
}
