import { payloadOf } from './raw-ssh.ts';
import type { RawSsh } from './raw-ssh.ts';

const SESSION = [2 ** 21, 32_768] as const;

/** What clients say, before the login and after it (RFC 4252 to 4254, and the key exchange of RFC 4253). */
const HONEST: readonly Buffer[] = [
  payloadOf(2, 'nothing'),
  payloadOf(4, true, 'a word', ''),
  payloadOf(5, 'ssh-userauth'),
  payloadOf(20, new Uint8Array(12), 'curve25519-sha256', 'ssh-ed25519', 'aes128-ctr', 'aes128-ctr'),
  payloadOf(21),
  payloadOf(30, new Uint8Array(32)),
  payloadOf(50, 'admin', 'ssh-connection', 'none'),
  payloadOf(50, 'admin', 'ssh-connection', 'publickey', true, 'ssh-ed25519', new Uint8Array(51), new Uint8Array(83)),
  payloadOf(50, 'admin', 'ssh-connection', 'password', false, 'secret'),
  payloadOf(50, 'admin', 'ssh-connection', 'keyboard-interactive', '', ''),
  payloadOf(61, 1, 'answer'),
  payloadOf(80, 'tcpip-forward', true, '0.0.0.0', 0),
  payloadOf(80, 'keepalive@openssh.com', true),
  payloadOf(81, 'x'),
  payloadOf(90, 'session', 0, ...SESSION),
  payloadOf(90, 'direct-tcpip', 1, ...SESSION, 'localhost', 80, '127.0.0.1', 1),
  payloadOf(91, 0, 0, ...SESSION),
  payloadOf(93, 0, 2 ** 32 - 1),
  payloadOf(94, 0, 'data'),
  payloadOf(95, 0, 1, 'more'),
  payloadOf(96, 0),
  payloadOf(97, 0),
  payloadOf(98, 0, 'exec', true, 'help'),
  payloadOf(98, 0, 'subsystem', true, 'trunkline-control'),
  payloadOf(98, 0, 'pty-req', true, 'xterm', 80, 24, 0, 0, ''),
  payloadOf(98, 0, 'env', true, 'A', 'b'),
  payloadOf(98, 0, 'exit-signal', false, 'KILL', false, '', ''),
];
const HEADS = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;

/** One of them with what is wrong about it: cut, lengthened, with lengths and ids that lie, with another type, or nothing but noise. */
export function malformed(random: () => number): Buffer {
  const below = (most: number): number => Math.floor(random() * most);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)));
  const payload = Buffer.from(HONEST[below(HONEST.length)] ?? '');
  const way = below(5);
  if (way === 0) return payload.subarray(0, below(payload.length));
  if (way === 1) return Buffer.concat([payload, noise(below(1_000))]);
  if (way === 2 && payload.length > 5)
    payload.writeUInt32BE(HEADS[below(HEADS.length)] ?? 0, 1 + below(payload.length - 5));
  // A disconnect is no attack.
  if (way === 3) payload[0] = 2 + below(254);
  return way === 4 ? Buffer.concat([Buffer.from([2 + below(254)]), noise(below(2_000))]) : payload;
}

/** Sends malformed packets until the connection ends, at most so many; resolves to their number. */
export async function pourMalformed(raw: RawSsh, most: number, random: () => number): Promise<number> {
  let sent = 0;
  while (sent < most && !raw.isClosed) {
    raw.sendPayload(malformed(random));
    sent++;
    // Whether it is still there is seen when its end has come.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return sent;
}
