import type { OutboxState } from '../../model/outbox.ts';

export interface OutboxView {
  readonly id: number;
  /** The same over all tries: the id that the receiver is shown. */
  readonly key: string;
  readonly reporter: string;
  readonly to: string;
  readonly subject: string;
  readonly state: OutboxState;
  readonly attempts: number;
  readonly createdAtMs: number;
  /** Null when it does not wait. */
  readonly nextTryMs: number | null;
  /** Null while it waits. */
  readonly endedAtMs: number | null;
  readonly lastError: string | null;
}
