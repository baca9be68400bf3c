import type { Clock } from '../base/clock.ts';
import type { OutboxMessage } from '../model/outbox.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import { audited } from './audit.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { OutboxSender } from './reporters/outbox-sender.ts';
import type { OutboxView } from './views/outbox.ts';

interface OutboxParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly sender: Pick<OutboxSender, 'look'>;
}

const LIST_MAX = 1_000;

export async function listOutbox(parts: OutboxParts, asker: Asker): Promise<readonly OutboxView[]> {
  const action = { action: 'list the outbox', target: 'outbox', role: 'operator' } as const;
  return await audited(parts, asker, action, async () => (await parts.store.outbox.list(LIST_MAX)).map(outboxView));
}

/** Also one that waits: it is due at once. */
export async function retryMessage(parts: OutboxParts, asker: Asker, id: number): Promise<void> {
  const { store, clock, sender } = parts;
  const action = { action: 'retry a message', target: String(id), role: 'operator' } as const;
  await audited(parts, asker, action, async () => {
    const message = await store.outbox.find(id);
    if (message?.state === 'sent') {
      throw new OperatorError('conflict', `message ${id} was sent already: there is nothing to try again`);
    }
    await found(store.outbox.retry(id, clock.now()), id);
  });
  sender.look();
}

export async function dropMessage(parts: OutboxParts, asker: Asker, id: number): Promise<void> {
  const action = { action: 'drop a message', target: String(id), role: 'operator' } as const;
  await audited(parts, asker, action, () => found(parts.store.outbox.drop(id), id));
}

async function found(work: Promise<void>, id: number): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
    throw new OperatorError('not-found', `there is no message ${id}: look at "outbox"`, { cause: error });
  }
}

function outboxView(message: OutboxMessage): OutboxView {
  const { id, key, reporter, to, subject, state, attempts, createdAtMs, nextTryMs, endedAtMs, lastError } = message;
  return {
    id,
    key,
    reporter,
    to,
    subject,
    state,
    attempts,
    createdAtMs,
    nextTryMs: state === 'waiting' ? nextTryMs : null,
    endedAtMs: endedAtMs ?? null,
    lastError: lastError ?? null,
  };
}
