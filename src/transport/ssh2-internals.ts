/**
 * What ssh2 1.17 does not show but its traps make necessary, in one place. Nothing here imports ssh2: these are the shapes of
 * its objects, held to by `test/unit/transport/ssh2-traps.test.ts`. The version is pinned in package.json.
 */

/** One side of a channel as ssh2 keeps it. */
interface ChannelEnd {
  readonly window: number;
  readonly packetSize: number;
}

interface Protocol {
  /** Packets held back while keys are exchanged: they are in no stream's writableLength. */
  readonly _queue?: readonly Uint8Array[];
  readonly _packetRW: { write: PacketWriter };
  requestSuccess(data: Buffer): void;
  channelClose(peersId: number): void;
  channelOpenFail(peersId: number, reason: number, text: string): void;
}

interface PacketWriter {
  readonly allocStart: number;
  finalize(packet: Buffer, force?: boolean): Buffer;
}

interface HasProtocol {
  readonly _protocol?: Protocol;
}

/** The biggest packet the peer takes on this channel. Zero makes ssh2's writer loop for ever. */
export function peerPacketBytes(channel: { readonly outgoing: unknown }): number {
  return (channel.outgoing as ChannelEnd).packetSize;
}

/** Bytes that ssh2 holds back until a key exchange is done. */
export function rekeyQueueBytes(connection: object): number {
  let bytes = 0;
  for (const packet of (connection as HasProtocol)._protocol?._queue ?? []) bytes += packet.length;
  return bytes;
}

/**
 * ssh2 keeps the last chunk of standard output that had to wait for the window, and sends it again when standard error has
 * to wait. Call before writing to stderr, when no write to stdout is under way.
 */
export function forgetSentChunk(channel: object): void {
  const inner = channel as { _chunk?: unknown; _chunkcb?: unknown };
  inner._chunk = undefined;
  inner._chunkcb = undefined;
}

interface Session {
  readonly _channel?: unknown;
  readonly _chanInfo: { readonly incoming: { readonly id: number }; readonly outgoing: { readonly id: number } };
}

interface HasChannels extends HasProtocol {
  readonly _chanMgr?: { remove(id: number): void };
}

/** A session that the peer closed before a command or subsystem was started in it: ssh2 neither answers nor forgets it. */
export function forgetSession(connection: object, session: object): void {
  const { _channel, _chanInfo } = session as Session;
  if (_channel) return;
  const { _chanMgr, _protocol } = connection as HasChannels;
  _chanMgr?.remove(_chanInfo.incoming.id);
  _protocol?.channelClose(_chanInfo.outgoing.id);
}

const USERAUTH_BANNER = 53;

/**
 * Sends a banner (RFC 4252, section 5.4) during authentication; ssh2 can only before it. Borrows the packet of a request's
 * success, whose body is free, and changes its type.
 */
export function sendBanner(connection: object, text: string): void {
  const protocol = (connection as HasProtocol)._protocol;
  const writer = protocol?._packetRW.write;
  if (!protocol || !writer) return;
  const line = Buffer.from(`${text}\r\n`);
  const body = Buffer.alloc(8 + line.length);
  body.writeUInt32BE(line.length, 0);
  line.copy(body, 4);
  const finalize = writer.finalize.bind(writer);
  writer.finalize = (packet, force) => {
    packet[writer.allocStart] = USERAUTH_BANNER;
    return finalize(packet, force);
  };
  try {
    protocol.requestSuccess(body);
  } finally {
    // The own property goes, the prototype's method shows again.
    Reflect.deleteProperty(writer, 'finalize');
  }
}

const ADMINISTRATIVELY_PROHIBITED = 1;

/** Refuses a channel with words (RFC 4254, section 5.1); ssh2's own `reject` says nothing. */
export function refuseForward(connection: object, reject: () => void, text: string): void {
  const protocol = (connection as HasProtocol)._protocol;
  if (!protocol) return reject();
  const fail = protocol.channelOpenFail.bind(protocol);
  protocol.channelOpenFail = (peersId) => fail(peersId, ADMINISTRATIVELY_PROHIBITED, text);
  try {
    reject();
  } finally {
    // The own property goes, the prototype's method shows again.
    Reflect.deleteProperty(protocol, 'channelOpenFail');
  }
}

/** The socket under a connection of ssh2's server, which does not say which one it was made for. */
export function socketOf(connection: object): unknown {
  return (connection as { readonly _sock?: unknown })._sock;
}
