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
