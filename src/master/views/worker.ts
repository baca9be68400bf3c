import type { Result } from '../../model/result.ts';
import type { TroubleKind } from '../../model/trouble.ts';
import type { HoldKind } from '../../model/worker.ts';
import type { Vitals } from '../../transport/link.ts';
import type { WorkerConnection } from '../link/reception.ts';

export interface WorkerView {
  readonly name: string;
  readonly state: 'connected' | 'disconnected' | 'never seen';
  readonly sinceMs: number | null;
  readonly host: string | null;
  readonly version: string | null;
  readonly builds: readonly number[];
  readonly maxBuilds: number;
  readonly isConfigured: boolean;
  /** As the configuration names it. */
  readonly owner: string | null;
  /** An operator's word that it is given no builds; null when there is none. */
  readonly hold: {
    readonly kind: HoldKind;
    readonly by: string;
    readonly sinceMs: number;
    readonly reason: string | null;
  } | null;
  /** Why it is given no builds, for people: the hold, or its own wish to leave; null when it is given some. */
  readonly held: string | null;
  /** Why commands there wait in the middle of their output; null when none does. */
  readonly heldBack: string | null;
  /** Those that last; of a worker that was asked for by name its newest, also such as are over. */
  readonly troubles: readonly TroubleView[];
  readonly facts: Readonly<Record<string, string>>;
}

/** That a worker is missing, flapping or full, or was. */
export interface TroubleView {
  readonly id: number;
  readonly worker: string;
  readonly kind: TroubleKind;
  readonly sinceMs: number;
  /** Null while it lasts. */
  readonly untilMs: number | null;
  readonly text: string;
  readonly endText: string | null;
}

/** What `worker show` tells of a worker beside what `workers` does. */
export interface WorkerPage extends WorkerView {
  /** What it told of itself last; null when it is not here. */
  readonly vitals: Vitals | null;
  readonly connection: WorkerConnection | null;
  /** Newest first. */
  readonly lastBuilds: readonly {
    readonly id: number;
    readonly project: string;
    readonly builder: string;
    readonly number: number;
    readonly state: 'running' | 'finished';
    readonly result: Result | null;
    readonly startedAtMs: number;
    readonly finishedAtMs: number | null;
  }[];
  /** Null for those who are no operators. */
  readonly keys: readonly { readonly fingerprint: string; readonly comment: string }[] | null;
}

export interface InviteWish {
  /** A duration like `30m`; an hour when absent. */
  readonly expires?: string;
  /** `HOST[:PORT]` by which the new machine reaches the master; the address by which the asker came when absent. */
  readonly host?: string;
  readonly arrivedAt: { readonly host: string; readonly port: number };
  /** The worker is admitted already, and is given one key more. */
  readonly isAgain?: boolean;
}

/** A new invitation. `line` holds the code: it is a secret until it was used. */
export interface InviteView {
  readonly worker: string;
  readonly line: string;
  readonly expiresAtMs: number;
  /** `HOST:PORT` that the line connects to. */
  readonly master: string;
  readonly isConfigured: boolean;
}

export interface InvitationView {
  readonly worker: string;
  readonly invitedBy: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
  readonly isAgain: boolean;
}

export interface KnockView {
  readonly name: string;
  /** `SHA256:…` of the key. */
  readonly fingerprint: string;
  readonly address: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}

/** What became of a worker's key that was to be another one. */
export interface KeyRotation {
  readonly worker: string;
  readonly outcome: 'rotated' | 'refused' | 'away' | 'too old' | 'no answer';
  /** Of the key that it has now; null when it has none. */
  readonly fingerprint: string | null;
  /** For a person. */
  readonly message: string;
}

/** What is to become of a worker. `retire-now` does not wait for its builds. */
export interface HoldWish {
  readonly to: 'pause' | 'resume' | 'drain' | 'retire' | 'retire-now';
  readonly reason?: string;
}
