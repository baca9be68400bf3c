/** One `ssh NAME@HOST COMMAND` of a person, as the front door sees it. */
export interface PersonCall {
  /** As ssh sent it: the words joined by blanks. */
  readonly command: string;
  /** Standard input, to its end. The pieces are only good until the next. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** To standard output; resolves when there is room for more, or the caller is gone. Text is sent as UTF-8. */
  write(data: string | Uint8Array): Promise<void>;
  /** To standard error: short lines only. */
  writeError(text: string): Promise<void>;
  /** Sends what is queued, the exit status, and closes. */
  exit(status: number): void;
  /** The address of this machine by which the caller came. */
  readonly arrivedAt: { readonly host: string; readonly port: number };
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal;
  /** The caller asked for a terminal (`ssh -t`). */
  readonly isTerminal: boolean;
  /** Its width. */
  readonly columns?: number;
}
