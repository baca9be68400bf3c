import type { SchedulerShape } from '../../config/scheduler-shape.ts';

/** The documented, stable JSON of `schedulers --json`. Times are UTC ms. */
export interface SchedulerView {
  readonly project: string;
  readonly name: string;
  readonly kind: SchedulerShape['kind'];
  readonly builders: readonly string[];
  /** Who switched it off, since when and why; null: it is on. */
  readonly off: { readonly by: string; readonly sinceMs: number; readonly reason: string | null } | null;
  /** When it is to act next, if nothing comes between; null: nobody knows. */
  readonly nextAtMs: number | null;
  /** For people. */
  readonly waitsFor: string;
  /** Changes that wait for it. */
  readonly pendingChanges: number;
  /** Its last build set; null: it has made none. */
  readonly last: { readonly buildSet: number; readonly atMs: number } | null;
}

/** What is to be made of a scheduler. */
export interface SwitchWish {
  readonly isEnabled: boolean;
  readonly reason?: string;
}
