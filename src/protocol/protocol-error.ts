/**
 * Why a link ends, in one vocabulary: what a peer did wrong, and why one side takes its leave. These are the codes of the wire's
 * `goodbye`; `docs/protocol.md` repeats the table and a test compares the two.
 */
export const PROTOCOL_CODES = {
  'frame-too-long': 'a frame announces more bytes than the limit of its state or lane',
  malformed: 'a frame is not the MessagePack array that a frame has to be',
  'bad-field':
    'a field is missing, of the wrong kind or beyond its limit, or a log chunk does not hold what its fields say',
  'wrong-direction': 'a message that only the other side may send',
  'wrong-session': 'a frame names another session than the one its channel is bound to',
  'unknown-session': 'a frame names a session that is not open on this connection',
  unexpected: 'a message that has no place in the present state',
  'flow-violation': 'more data was sent than was granted',
  'too-many-channels': 'more channels were opened than were asked for',
  'hello-timeout': 'the greeting did not come in time',
  version: 'no version of the protocol that both speak',
  'wrong-name': 'the hello names another worker than the SSH login did',
  'unknown-worker': 'the name is not among the workers of the configuration',
  'duplicate-worker': 'another worker of this name is connected and answers',
  replaced: 'a newer connection of the same worker takes over',
  revoked: 'the name was withdrawn: the worker ends all that it runs',
  retired: 'the name was withdrawn, and nothing runs there: the worker ends for good',
  left: 'nothing more is given, as the worker wished, and nothing runs there: the worker ends',
  overloaded: 'there is no room now: come back later',
  stopping: 'the sender stops and will be back',
  drain: 'go to another master, or come back after the time named',
  internal: 'the sender failed by a fault of its own',
} as const;

export type ProtocolCode = keyof typeof PROTOCOL_CODES;

/** The peer broke a rule of the wire, or the two cannot talk: the link ends with this code as its goodbye. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolCode;

  constructor(code: ProtocolCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
