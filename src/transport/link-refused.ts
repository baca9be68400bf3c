/** The peer's goodbye (or a broken greeting) instead of a welcome. */
export class LinkRefused extends Error {
  override readonly name = 'LinkRefused';
  /** A goodbye code of `docs/protocol.md`, or `lost` when the line went. */
  readonly code: string;
  /** Come back after between half of this and all of it; absent: by your own back-off. */
  readonly retryAfterMs?: number;

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}
