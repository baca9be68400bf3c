/** A secret cannot be given. Its message is for people, and says nothing of a value. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
  /** Whoever asks may not have it, and never had. */
  readonly isRefused: boolean;

  constructor(message: string, options: { readonly isRefused?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isRefused = options.isRefused ?? false;
  }
}
