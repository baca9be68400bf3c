import type { JsonObject } from './json.ts';

/** `given-up`: it is not tried any more, and `lastError` says why. */
export type OutboxState = 'waiting' | 'sent' | 'given-up';

/** What somebody outside is to be told, once. */
export interface NewMessage {
  /** The same over all tries, and nobody else's: by it a receiver knows what it was told before. */
  readonly key: string;
  /** Of the configuration, by name. */
  readonly reporter: string;
  /** An address of mail, or where a webhook leads: for people. */
  readonly to: string;
  /** One line. */
  readonly subject: string;
  /** What a webhook posts; its text is what a mail says. */
  readonly body: JsonObject & { readonly text: string };
}

export interface OutboxMessage extends NewMessage {
  readonly id: number;
  readonly createdAtMs: number;
  readonly state: OutboxState;
  /** Tries that were made since it waits. */
  readonly attempts: number;
  /** Since when it waits: its making, or when somebody asked for it to be tried again. */
  readonly waitsSinceMs: number;
  readonly nextTryMs: number;
  /** When it was sent or given up; absent while it waits. */
  readonly endedAtMs?: number;
  readonly lastError?: string;
}

/** More than these do not wait: the oldest are given up. */
export const MOST_WAITING = 10_000;
/** What was sent, and what was given up, is kept for so long, and so many of each. */
export const ENDED_KEPT = { ms: 7 * 86_400_000, messages: 1_000 } as const;

const FIRST_RETRY_MS = 10_000;
export const LONGEST_RETRY_MS = 3_600_000;
/** Whichever comes first. */
const GIVE_UP = { afterMs: 24 * 3_600_000, tries: 20 } as const;

/**
 * When a message that could not be sent is tried again, in milliseconds from now; undefined: not any more. The bound doubles, and the
 * wait is drawn from its upper half, so that messages of one outage do not come back as a herd. `random` is in [0, 1).
 */
export function retryInMs(
  { attempts, waitsSinceMs }: Pick<OutboxMessage, 'attempts' | 'waitsSinceMs'>,
  nowMs: number,
  random: number,
): number | undefined {
  if (attempts >= GIVE_UP.tries || nowMs - waitsSinceMs >= GIVE_UP.afterMs) return undefined;
  const boundMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1));
  return Math.round(boundMs * (0.5 + random / 2));
}
