import { showSize } from '../base/size.ts';
import type { Vitals } from '../transport/link.ts';

/** Why commands of a worker wait in the middle of their output, for people; undefined when none does. */
export function heldBackText(vitals: Vitals | undefined): string | undefined {
  const { heldByDisk = 0, heldBySpool = 0, keepFreeBytes } = vitals ?? {};
  if (heldByDisk > 0) {
    const floor = keepFreeBytes === undefined ? 'too little' : `less than ${showSize(keepFreeBytes)}`;
    return `output of ${commands(heldByDisk)} held back: ${floor} free on the worker's disk; make room there, and it goes on`;
  }
  if (heldBySpool === 0) return undefined;
  return `output of ${commands(heldBySpool)} held back: the worker's spool is full of what the master has not stored yet`;
}

function commands(count: number): string {
  return count === 1 ? 'a command' : `${count} commands`;
}
