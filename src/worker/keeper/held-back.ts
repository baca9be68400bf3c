/** Commands whose output is not read for now, so that they block in write(): by what holds it back. */
export interface HeldBack {
  /** Too little is free on the worker's disk, or it took no more. */
  readonly byDisk: number;
  /** The spool holds as much as it may of what the master has not stored. */
  readonly bySpool: number;
}

export const NOTHING_HELD: HeldBack = { byDisk: 0, bySpool: 0 };

export function sumOf(all: Iterable<HeldBack>): HeldBack {
  let sum = NOTHING_HELD;
  for (const { byDisk, bySpool } of all) sum = { byDisk: sum.byDisk + byDisk, bySpool: sum.bySpool + bySpool };
  return sum;
}

export function isSame(a: HeldBack, b: HeldBack): boolean {
  return a.byDisk === b.byDisk && a.bySpool === b.bySpool;
}
