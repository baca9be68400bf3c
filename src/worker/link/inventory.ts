import { LIMITS } from '../../protocol/limits.ts';
import type { CommandState, Fields } from '../../protocol/messages.ts';
import type { HeldSession } from '../session-book.ts';

/** A frame may have 256 KiB; texts count up to three bytes a character there. */
const MAX_CHARACTERS = 64 * 1024;

/** All that a worker holds, in messages that fit their frames; at least one, the last marked so. */
export function* inventoryOf(
  sessions: readonly HeldSession[],
  commands: readonly CommandState[],
): Generator<Fields<'inventory'>> {
  let frame: { sessions: HeldSession[]; commands: CommandState[] } = { sessions: [], commands: [] };
  let characters = 0;
  const isFull = (count: number, next: number): boolean =>
    count >= LIMITS.inventoryItemsPerFrame || (characters > 0 && characters + next > MAX_CHARACTERS);
  for (const [list, item] of each(sessions, commands)) {
    const length = JSON.stringify(item).length;
    if (isFull(frame[list].length, length)) {
      yield { ...frame, last: false };
      frame = { sessions: [], commands: [] };
      characters = 0;
    }
    if (list === 'sessions') frame.sessions.push(item);
    else frame.commands.push(item);
    characters += length;
  }
  yield { ...frame, last: true };
}

type Item = readonly ['sessions', HeldSession] | readonly ['commands', CommandState];

function* each(sessions: readonly HeldSession[], commands: readonly CommandState[]): Generator<Item> {
  for (const { session, fence, directory } of sessions) yield ['sessions', { session, fence, directory }];
  for (const command of commands) yield ['commands', command];
}
