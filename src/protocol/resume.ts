import type { CommandState, CommandVerdict, Fields } from './messages.ts';

/**
 * What each side does when a connection begins anew, whatever ended the last one: the line, the worker, the master, a takeover,
 * a power loss, a database that was put back. Pure: both sides ask here and act on the answer.
 */

/** What the master has of a command that a worker's inventory names. */
export interface StoredCommand {
  /** A build still waits for it, and at this seat. */
  readonly isKnown: boolean;
  /** The fence of the seat's present owner. */
  readonly fence: number;
  /** Bytes of its log that are stored: [0, storedEnd). */
  readonly storedEnd: number;
  /** Its outcome is stored: whatever the worker has of it can go. */
  readonly isFinished: boolean;
}

export type CommandReview =
  /** Of no build, or done with: the worker ends it and drops what it holds. */
  | { readonly action: 'forget'; readonly verdict: CommandVerdict }
  /** The worker has seen a later owner than the store knows (a database was put back): store a fence above it, then ask again. */
  | { readonly action: 'raise-fence'; readonly above: number }
  | {
      readonly action: 'continue';
      readonly verdict: CommandVerdict;
      /**
       * The worker's disk is so many bytes short of what the master has (power loss). The log stays as long as the master has
       * it; that what came after `at` is lost is to be said there.
       */
      readonly workerShort?: { readonly at: number; readonly bytes: number };
      /** The worker dropped what the master lacks; its `log.hole` of so many bytes will come. */
      readonly expectedHole?: { readonly offset: number; readonly length: number };
    };

/** Master: answers one command of an inventory. */
export function reviewCommand(stored: StoredCommand | undefined, state: CommandState): CommandReview {
  const { command, outputStart, outputEnd } = state;
  if (!stored?.isKnown || stored.isFinished) return { action: 'forget', verdict: { command, verdict: 'forget' } };
  if (stored.fence < state.fence) return { action: 'raise-fence', above: state.fence };
  const { fence, storedEnd } = stored;
  const verdict: CommandVerdict = { command, verdict: 'continue', fence, from: storedEnd };
  if (outputEnd < storedEnd) {
    return { action: 'continue', verdict, workerShort: { at: storedEnd, bytes: storedEnd - outputEnd } };
  }
  if (storedEnd < outputStart) {
    return { action: 'continue', verdict, expectedHole: { offset: storedEnd, length: outputStart - storedEnd } };
  }
  return { action: 'continue', verdict };
}

/** How a log beyond its limit is kept: its first bytes and its last ones. The two together are the limit. */
export interface LogCap {
  readonly headBytes: number;
  readonly tailBytes: number;
}

/** What the worker has of a command's output. */
export interface HeldOutput extends Pick<CommandState, 'state' | 'outputStart' | 'outputEnd'> {
  /** `heldFrom`: of what lies behind the head, the first byte that is still on the disk. */
  readonly cap?: LogCap & { readonly heldFrom: number };
}

export type LogHole = Omit<Fields<'log.hole'>, 'command' | 'fence'>;

/** The worker's next deed in sending a command's output. */
export type SendingPlan =
  | { readonly hole: LogHole }
  /** The bytes [from, to); none when there is nothing to send now. */
  | { readonly hole?: undefined; readonly to: number };

/** The notice that the limit is reached stands for one byte, always the same one, so that told twice it is known. */
const NOTICE_BYTES = 1;

/**
 * Worker: all below `from` is with the master, or under way. Of a log beyond its limit the head is sent as it comes; then a
 * notice, as soon as it is sure that something will be left out; when the command has ended the hole, and the tail.
 */
export function planSending(held: HeldOutput, from: number): SendingPlan {
  const { outputStart, outputEnd, state, cap } = held;
  if (from < outputStart) return { hole: { offset: from, length: outputStart - from, reason: 'lost' } };
  if (!cap || from < cap.headBytes) return { to: Math.max(from, Math.min(outputEnd, cap?.headBytes ?? outputEnd)) };
  const { headBytes, tailBytes, heldFrom } = cap;
  const tailStart = Math.max(headBytes, outputEnd - tailBytes);
  const leftOutBytes = tailStart - headBytes;
  if (from === headBytes && leftOutBytes > NOTICE_BYTES) {
    return { hole: { offset: from, length: NOTICE_BYTES, reason: 'limit', keepsBytes: tailBytes } };
  }
  if (state === 'running') return { to: from };
  if (from < tailStart) return { hole: { offset: from, length: tailStart - from, reason: 'limit', leftOutBytes } };
  // The machine lost its power, and bytes of the tail with it.
  if (from < Math.min(heldFrom, outputEnd)) return { hole: { offset: from, length: heldFrom - from, reason: 'lost' } };
  return { to: Math.max(from, outputEnd) };
}

/** What the master has received of a command on this connection. */
export interface ReceivedLog {
  /** Bytes accepted, stored or about to be. */
  readonly storedEnd: number;
  /** The offset it last asked for by `log.want` on this connection. */
  readonly wantedAt?: number | undefined;
}

export type ChunkAnswer =
  /** It continues the log. */
  | { readonly action: 'store' }
  /** All of it is stored: drop it and acknowledge. */
  | { readonly action: 'known'; readonly ack: number }
  /** It overlaps or leaves a gap: drop it and ask. */
  | { readonly action: 'want'; readonly offset: number }
  /** It was under way when the master asked: drop it without a word. Asking again would make the sender go back twice. */
  | { readonly action: 'ignore' };

/** Master: what to do with a chunk, or a hole, that arrived. */
export function receiveChunk(
  log: ReceivedLog,
  chunk: { readonly offset: number; readonly length: number },
): ChunkAnswer {
  const { storedEnd, wantedAt } = log;
  if (chunk.offset === storedEnd) return { action: 'store' };
  if (chunk.offset + chunk.length <= storedEnd) return { action: 'known', ack: storedEnd };
  return wantedAt === storedEnd ? { action: 'ignore' } : { action: 'want', offset: storedEnd };
}
