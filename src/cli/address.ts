import { UserMistake } from '../base/errors.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a master listens, if nothing else is said. */
export const DEFAULT_PORT = 2222;

/** `HOST`, `HOST:PORT`, `[V6]:PORT`; a bare IPv6 address has no port. */
export function parseAddress(text: string, defaultPort: number): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+))(?::(\d+))?$/.exec(text);
  const host =
    match?.[1] ?? match?.[2] ?? (/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text) ? text : undefined);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (!host || port > 65_535)
    throw new UserMistake(`"${text}" is no address: give HOST, HOST:PORT or [IPV6]:PORT`, { exitStatus: 64 });
  return { host, port };
}
