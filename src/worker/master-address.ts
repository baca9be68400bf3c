import { UserMistake } from '../base/errors.ts';

export interface MasterAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 2222;

/** `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`. */
export function parseMasterAddress(text: string): MasterAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new UserMistake(`"${text}" is no address of a master: give HOST, HOST:PORT or [IPV6]:PORT`, {
      exitStatus: 64,
    });
  }
  return { host, port };
}
