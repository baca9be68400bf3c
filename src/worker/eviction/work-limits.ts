/** How much room the folders of builds may take. */
export interface WorkLimits {
  /** So much of the disk of `work` is to stay free. */
  readonly keepFreeBytes: number;
  /** The folders take no more than this together; undefined: as much as there is. */
  readonly inAllBytes?: number;
}

/** How much room caches may take. */
export interface CacheLimits {
  /** They take no more than this together; undefined: as much as there is; 0: there are none. */
  readonly inAllBytes?: number;
}

/** The disk is looked at so often, and whenever a build ends or a command begins. */
export const LOOK_MS = 30_000;
/** A command waits so long for room to be made before it begins; the removal goes on meanwhile. */
export const ROOM_WAIT_MS = 20_000;
/** After so many entries of a tree there is a pause, so that builds have the disk for themselves again and again. */
export const SLICE_ENTRIES = 1_000;
export const SLICE_PAUSE_MS = 5;
