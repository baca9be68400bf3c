import { showSize } from '../../base/size.ts';
import { showDuration } from '../../config/duration.ts';
import type { End, TroubleKind, TroubleRules } from '../../model/trouble.ts';
import type { Vitals } from '../../transport/link.ts';
import { heldBackText } from '../held-back.ts';

/** What has begun, for people: `away for more than 1h`. `fullText` says what is full, when something is. */
export function beginText(kind: TroubleKind, rules: TroubleRules, fullText: string | undefined): string {
  const { connections, withinMs } = rules.flapping;
  const words = {
    missing: `away for more than ${showDuration(rules.missingAfterMs)}`,
    flapping: `more than ${connections} connections within ${showDuration(withinMs)}`,
    full: `${fullText ?? 'no room'}; so for more than ${showDuration(rules.fullAfterMs)}`,
  };
  return words[kind];
}

/** How it ended, for people. `heldText` says by whom a worker is held that is. */
export function endText({ kind, why }: End, rules: TroubleRules, heldText: string | undefined): string {
  if (why === 'unconfigured') return 'it is not in the configuration any more';
  if (why === 'held') return `it is not waited for: it ${heldText ?? 'is held'}`;
  const words = {
    missing: 'it is back',
    flapping: `no new connection for ${showDuration(rules.flapping.withinMs)}`,
    full: 'there is room again',
  };
  return words[kind];
}

/** What is full on a worker, for people; `''` when nothing is, undefined when it has not said. */
export function fullText(vitals: Vitals | undefined): string | undefined {
  const { freeBytes, keepFreeBytes, heldByDisk } = vitals ?? {};
  const held = heldBackText(vitals);
  if (held !== undefined) return held;
  if (freeBytes !== undefined && keepFreeBytes !== undefined && freeBytes < keepFreeBytes) {
    return `${showSize(freeBytes)} free on the worker's disk, of which ${showSize(keepFreeBytes)} are to stay free; make room there`;
  }
  return freeBytes === undefined && heldByDisk === undefined ? undefined : '';
}
