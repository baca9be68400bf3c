import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/errors.ts';
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
  const record = { bootId: bootId(), ...sight };
  try {
    writeLooseRecord(spoolDir, SIGHT_FILE, record);
  } catch (error) {
    // A full disk must not put the commands out of the master's sight.
    if (errorCode(error) !== 'ENOSPC' && errorCode(error) !== 'EDQUOT') throw error;
    overwrite(join(spoolDir, SIGHT_FILE), JSON.stringify(record));
  }
}

/** In place, where it needs no room; spaces cover the rest of what was there. Who reads meanwhile reads again in a moment. */
function overwrite(path: string, text: string): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, text.padEnd(fstatSync(file).size));
  } finally {
    closeSync(file);
  }
}

/** undefined: there is none, or it is damaged, or of another boot. */
export function readSight(spoolDir: string): Sight | undefined {
  const sight = readLooseRecord(spoolDir, SIGHT_FILE, sightFile);
  return sight?.bootId === bootId() ? sight : undefined;
}
