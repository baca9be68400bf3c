import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeFileAtomic } from '../../base/atomic-file.ts';
import { integer, object, optional } from '../../protocol/schema.ts';
import { FILES, readLooseRecord, writeLooseRecord } from './command-files.ts';
import type { Claim } from './command-files.ts';

/** A command's lease, if it was changed since its claim; without `leaseMs` it has none any more. */
const leaseFile = object({ leaseMs: optional(integer(1)) });

/** In the spool: no lease is shorter than this one. */
const LEAST_LEASE_FILE = '.lease.json';
const leastLeaseFile = object({ leaseMs: integer(1) });

/** A command's own lease. A damaged file counts as not there: its change was not told to have been made. */
export function readLease(dir: string, claim: Pick<Claim, 'leaseMs'>): number | undefined {
  const changed = readLooseRecord(dir, FILES.lease, leaseFile);
  return changed ? changed.leaseMs : claim.leaseMs;
}

/** Not durable on purpose: no process outlives the machine's end. */
export function writeLease(dir: string, leaseMs: number | undefined): void {
  writeLooseRecord(dir, FILES.lease, { leaseMs });
}

export function readLeastLease(spoolDir: string): number | undefined {
  return readLooseRecord(spoolDir, LEAST_LEASE_FILE, leastLeaseFile)?.leaseMs;
}

/** Durable when it resolves. One that is longer already stays. */
export async function raiseLeastLease(spoolDir: string, leaseMs: number): Promise<void> {
  if ((readLeastLease(spoolDir) ?? 0) >= leaseMs) return;
  await writeFileAtomic(join(spoolDir, LEAST_LEASE_FILE), JSON.stringify({ leaseMs }), 0o600);
}

export async function dropLeastLease(spoolDir: string): Promise<void> {
  const path = join(spoolDir, LEAST_LEASE_FILE);
  if (!existsSync(path)) return;
  await rm(path, { force: true });
  await syncFolder(spoolDir);
}
