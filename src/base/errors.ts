/** Something went wrong by what a person gave us: told in one line, without a stack trace. `hint` says what to do. */
export class UserMistake extends Error {
  override readonly name = 'UserMistake';
  readonly exitStatus: number;

  constructor(message: string, options: { readonly exitStatus?: number; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitStatus = options.exitStatus ?? 1;
  }
}

/** The text of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error, such as ENOENT; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
