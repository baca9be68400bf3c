/**
 * unreachable: no TCP connection. timeout: none, or no login, in time. host-key-mismatch: another host than the pinned one.
 * refused-login: the key is not admitted. lost: the line went, or the other end is no SSH server. proxy-failed: the proxy
 * command ended. forward-refused: the jump host does not forward to the next address. forward-failed: it cannot reach it.
 */
export type SshConnectCode =
  | 'unreachable'
  | 'timeout'
  | 'host-key-mismatch'
  | 'refused-login'
  | 'lost'
  | 'proxy-failed'
  | 'forward-refused'
  | 'forward-failed';

/** No connection; the message says what happened, and at which hop. */
export class SshConnectError extends Error {
  override readonly name = 'SshConnectError';
  readonly code: SshConnectCode;
  /** It happened at a jump host, on the way. */
  readonly isAtJumpHost: boolean;

  constructor(code: SshConnectCode, message: string, cause?: unknown, isAtJumpHost = false) {
    super(message, { cause });
    this.code = code;
    this.isAtJumpHost = isAtJumpHost;
  }
}
