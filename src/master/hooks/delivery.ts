import type { SentChange } from '../views/change.ts';

/** The value of a header of the delivery, by its name in any case; empty when it did not come. */
export type HeaderOf = (name: string) => string;

/** What came to the port for webhooks; all of it may be anybody's. */
export interface Delivery {
  /** Of the path. */
  readonly forge: string;
  readonly project: string;
  readonly header: HeaderOf;
  readonly body: Buffer;
}

/** The answer to a forge, whose page on the webhook shows it. */
export interface Taken {
  /** The same came before: nothing was done. */
  readonly isKnown: boolean;
  readonly changes: readonly TakenChange[];
  /** Older commits of the push that were not taken. */
  readonly commitsLeftOut: number;
  /** Why nothing is done, if so. */
  readonly note?: string;
}

/** refused: not of one who knows the secret; unreadable: no payload of this event; unavailable: by a fault of the master's. */
export type HookRefusalCode = 'refused' | 'unreadable' | 'unavailable';

/** Why a delivery is not taken: `message` for whoever sent it, who may be anybody; `why` for the log. */
export class HookRefusal extends Error {
  override readonly name = 'HookRefusal';
  readonly code: HookRefusalCode;
  readonly why: string;

  constructor(code: HookRefusalCode, message: string, why: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.why = why;
  }
}

export type TakenChange = SentChange & {
  /** Why nothing is built of it, if so. */
  readonly skipped?: string;
};
