import type { Moment } from '../../base/moment.ts';
import { integer, object, text } from '../../protocol/schema.ts';
import { readLooseRecord, writeLooseRecord } from './command-files.ts';
import { bootId } from './process-table.ts';

/** In the spool, for the keepers: when the worker sent the last ping that its master answered. */
const SIGHT_FILE = '.sight.json';
/** A clock that is wrong may stand anywhere. */
const ms = integer(Number.MIN_SAFE_INTEGER);
const sightFile = object({ bootId: text(100), bootMs: ms, wallMs: ms });

/** Not durable on purpose: it is of no use in another boot. */
export function writeSight(spoolDir: string, at: Moment): void {
  writeLooseRecord(spoolDir, SIGHT_FILE, { bootId: bootId(), ...at });
}

/** undefined: there is none, or it is damaged, or of another boot. */
export function readSight(spoolDir: string): Moment | undefined {
  const sight = readLooseRecord(spoolDir, SIGHT_FILE, sightFile);
  return sight?.bootId === bootId() ? { bootMs: sight.bootMs, wallMs: sight.wallMs } : undefined;
}
