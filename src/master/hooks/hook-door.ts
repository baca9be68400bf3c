import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Delivery, Taken } from './delivery.ts';

/** Where forges post to. */
export interface HookSettings {
  readonly host: string;
  readonly port: number;
  /** A proxy stands before it: who asks is the last address in X-Forwarded-For. */
  readonly isProxied: boolean;
}

/** What the port for webhooks is made of. */
export interface HookParts {
  readonly settings: HookSettings;
  /** Rejects with a `HookRefusal` when it is not taken. */
  readonly take: (delivery: Delivery) => Promise<Taken>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The port for webhooks as the master sees it; the composition root brings it. */
export interface HookDoor {
  readonly port: number;
  close(): Promise<void>;
}
