/** What the master knows of a worker. */
export interface WorkerRecord {
  readonly name: string;
  readonly installId?: string;
  readonly bootId?: string;
  readonly processId?: string;
  readonly host?: string;
  readonly version?: string;
  readonly facts: Readonly<Record<string, string>>;
  /** +1 for each accepted connection. */
  readonly epoch: number;
  readonly isConnected: boolean;
  /** Since when it is connected, or not. */
  readonly sinceMs?: number;
  /** It was told to hold its commands for so long out of sight, until it comes back. */
  readonly leaseMs?: number;
  readonly hold?: WorkerHold;
  /** Its daemon wishes to be given nothing more. */
  readonly leaving?: { readonly reason: string; readonly sinceMs: number };
  /** It leaves after so many builds; `given` counts those of its term. */
  readonly term?: { readonly builds: number; readonly given: number };
  /** So many builds in a row could not be done there by its own fault: until then it is given no more. */
  readonly aside?: { readonly faults: number; readonly untilMs: number; readonly reason: string };
}

const SHORTEST_ASIDE_MS = 10_000;
const LONGEST_ASIDE_MS = 3_600_000;

/** For how long a worker is set aside after so many faults in a row. */
export function asideMs(faults: number): number {
  return Math.min(LONGEST_ASIDE_MS, SHORTEST_ASIDE_MS * 2 ** (faults - 1));
}

/**
 * An operator's word that a worker is given no builds. When nothing runs there any more, `draining` becomes `drained`, and
 * `retiring` becomes `retired`: its key is withdrawn then. The others stay until somebody resumes the worker.
 */
export interface WorkerHold {
  readonly kind: HoldKind;
  readonly by: string;
  readonly sinceMs: number;
  readonly reason?: string;
}

/** `retiring-now`: its builds are not waited for, they are ended. */
export type HoldKind = 'paused' | 'draining' | 'drained' | 'retiring' | 'retiring-now' | 'retired';

/** Builds that it may still be given before it leaves; undefined: any number. */
export function buildsLeft({ term }: Pick<WorkerRecord, 'term'>): number | undefined {
  return term && Math.max(0, term.builds - term.given);
}

/** True when the worker is given no more builds. */
export function isHeld(worker: Pick<WorkerRecord, 'hold' | 'leaving' | 'term'>): boolean {
  return worker.hold !== undefined || worker.leaving !== undefined || buildsLeft(worker) === 0;
}

/** A builder's seat on a worker: seat 0 works in folder `PROJECT/BUILDER`, seat n in `PROJECT/BUILDER-n`. */
export interface Seat {
  readonly session: string;
  readonly worker: string;
  readonly project: string;
  readonly builder: string;
  readonly seat: number;
  readonly directory: string;
  /** +1 at each assignment to a build. */
  readonly fence: number;
  /** The build that sits there. */
  readonly buildId?: number;
}
