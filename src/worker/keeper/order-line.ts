import type { Socket } from 'node:net';
import type { HeldBack } from './held-back.ts';
import type { KeeperSpec } from './keeper.ts';
import type { ProcessIdentity } from './process-table.ts';

/** Raised when the socket's lines or the files change; keepers of all versions then run beside each other. */
export const KEEPER_VERSION = 3;

/** A start carries an environment and 64 KiB of stdin at most: see the limits of `command.start`. */
const LONGEST_LINE_BYTES = 16 * 1024 * 1024;

/** What a daemon asks of a keeper: one JSON text a line. Bytes of stdin and masks are base64. */
export type Order =
  /** Answered when all that other daemons, given by their pid, have ordered is done: only one works on a spool at a time. */
  | { readonly id: number; readonly order: 'hello'; readonly version: number; readonly daemon?: number }
  | { readonly id: number; readonly order: 'start'; readonly spec: WireSpec }
  /** What `end.json` of this command says, if the disk has taken it. */
  | { readonly id: number; readonly order: 'end'; readonly command: string; readonly isForgotten: boolean }
  /** Segments of this command were deleted. */
  | { readonly id: number; readonly order: 'room'; readonly command: string };

export type WireSpec = Omit<KeeperSpec, 'stdin' | 'masks'> & {
  readonly stdin?: string;
  readonly masks?: readonly string[];
};

/** What a keeper says. */
export type Report =
  | { readonly id: number; readonly error?: string; readonly keeper?: ProcessIdentity }
  | { readonly progress: readonly string[] }
  /** After the answer to `hello`, and when it changed. */
  | { readonly heldBack: HeldBack };

export function toWire(spec: KeeperSpec): WireSpec {
  const { stdin, masks, ...rest } = spec;
  return {
    ...rest,
    ...(stdin && { stdin: base64(stdin) }),
    ...(masks && { masks: masks.map(base64) }),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function sendLine(socket: Socket, line: Order | Report): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(line)}\n`);
}

/** Calls `onLine` with each line's value. Ends the socket when a line is too long or no JSON. */
export function readLines(socket: Socket, onLine: (value: unknown) => void): void {
  let pieces: string[] = [];
  let held = 0;
  socket.setEncoding('utf8');
  socket.on('data', (data: string) => {
    let from = 0;
    for (let end = data.indexOf('\n'); end >= 0; end = data.indexOf('\n', from)) {
      pieces.push(data.slice(from, end));
      const line = pieces.join('');
      pieces = [];
      held = 0;
      from = end + 1;
      try {
        onLine(JSON.parse(line));
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
    if (from < data.length) pieces.push(data.slice(from));
    held += data.length - from;
    if (held > LONGEST_LINE_BYTES) socket.destroy(new Error(`a line of more than ${LONGEST_LINE_BYTES} bytes`));
  });
}
