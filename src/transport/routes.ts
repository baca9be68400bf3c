import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { FrameChannel } from './frame-channel.ts';

/**
 * Which channel a message goes by. A route is `''` for control, a session's id, or `SESSION/N` for the session's file bodies in
 * bulk channel N; on one mux channel all of them lead there.
 */
export interface Routes {
  channelOf(route: string): FrameChannel | undefined;
  /** undefined: it has no way, and is dropped. */
  routeOf<T extends MessageType>(type: T, session: string, fields: Fields<T>): string | undefined;
  /** Checks that a message may come by this channel. False: of a session that was given up, to be dropped. */
  admit(from: FrameChannel, message: Message): boolean;
  channelCount(): number;
}

/** Frames of files name their command. */
export function transferOf(type: MessageType, fields: object): string | undefined {
  return type.startsWith('file.') ? (fields as { readonly command: string }).command : undefined;
}

/** The rules that hold for the kinds of channels, whoever is at the other end. Session channels have one more. */
export function checkKind(from: FrameChannel, message: Message): void {
  const { type, session } = message;
  const isFile = type.startsWith('file.');
  switch (from.subsystem) {
    case 'trunkline-mux':
      return;
    case 'trunkline-control':
      if (session === '') return;
      throw new ProtocolError('wrong-session', `${type} of session ${session} came by the control channel`);
    case 'trunkline-bulk':
      if (isFile && session !== '') return;
      throw new ProtocolError('unexpected', `${type} has no place in a bulk channel`);
    case 'trunkline-session':
      if (!isFile && session !== '') return;
      throw new ProtocolError(
        isFile ? 'unexpected' : 'wrong-session',
        `${type}${isFile ? '' : ' of no session'} has no place in a session's channel`,
      );
  }
}
