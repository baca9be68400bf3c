import type { Moment } from '../../base/moment.ts';
import { integer, object, text } from '../../protocol/schema.ts';
import { readLooseRecord, writeLooseRecord } from './command-files.ts';
import { bootId } from './process-table.ts';

/** In the spool, for the keepers: when the worker sent the last ping that its master answered. */
const SIGHT_FILE = '.sight.json';
/** A clock that is wrong may stand anywhere. */
const ms = integer(Number.MIN_SAFE_INTEGER);
const sightFile = object({ bootId: text(100), bootMs: ms, wallMs: ms, pingMs: integer(1) });

/** When the master saw the worker last, and how soon after that the next ping was to be sent. */
export interface Sight extends Moment {
  readonly pingMs: number;
}

/** Not durable on purpose: it is of no use in another boot. */
export function writeSight(spoolDir: string, sight: Sight): void {
  writeLooseRecord(spoolDir, SIGHT_FILE, { bootId: bootId(), ...sight });
}

/** undefined: there is none, or it is damaged, or of another boot. */
export function readSight(spoolDir: string): Sight | undefined {
  const sight = readLooseRecord(spoolDir, SIGHT_FILE, sightFile);
  return sight?.bootId === bootId() ? sight : undefined;
}
