import { UserMistake } from '../base/errors.ts';

export interface MasterAddress {
  readonly host: string;
  readonly port: number;
}

/** `SHA256:…`, as ssh-keygen -l prints it. */
export const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

const DEFAULT_PORT = 2222;

/** `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`. */
export function parseMasterAddress(text: string): MasterAddress {
  const address = parseHost(text, DEFAULT_PORT);
  if (!address) {
    throw new UserMistake(`"${text}" is no address of a master: give HOST, HOST:PORT or [IPV6]:PORT`, {
      exitStatus: 64,
    });
  }
  return address;
}

/** The same forms; undefined when it is none. */
export function parseHost(text: string, defaultPort: number): MasterAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
