/** A scheduler, and the project that it is of. */
export interface SchedulerName {
  readonly project: string;
  readonly scheduler: string;
}

/** Why a scheduler does nothing: somebody switched it off. */
export interface SwitchedOff {
  readonly by: string;
  readonly reason?: string;
  readonly sinceMs: number;
}

/** What is kept of a scheduler, also of one that is gone from the configuration. */
export interface SchedulerRecord extends SchedulerName {
  readonly off?: SwitchedOff;
  /** What the rest goes by: with another one it is begun anew. */
  readonly rule?: string;
  /** When its timer goes off. */
  readonly nextAtMs?: number;
  /** Its last occasion. */
  readonly lastAtMs?: number;
  /** Build sets with higher ids are followed. */
  readonly fromSetId?: number;
}

/** Changes of one branch that wait for a scheduler. */
export interface PendingChanges extends SchedulerName {
  readonly branch: string;
  readonly count: number;
  /** Id of the newest. */
  readonly newestId: number;
  /** When the first and the last of the important ones came; absent: there is none. */
  readonly firstImportantMs?: number;
  readonly lastImportantMs?: number;
}
