import { ulid } from '../../base/ulid.ts';
import type { Seat } from '../../model/worker.ts';
import type { Transaction } from './batch-writer.ts';

/** By their indexes: a worker may have thousands, and a farm many times that. */
export const SEATS_OF_BUILDER = `SELECT session, seat, fence, build_id AS buildId FROM seats
  WHERE worker = ? AND project = ? AND builder = ?`;
const IS_TAKEN = 'SELECT 1 FROM seats WHERE worker = ? AND directory = ?';
const RAISE_FENCE = 'UPDATE seats SET fence = fence + 1 WHERE session = ?';
const ADD = `INSERT INTO seats (session, worker, project, builder, seat, directory, fence) VALUES (?, ?, ?, ?, ?, ?, 1)`;
const SIT = 'UPDATE seats SET build_id = ? WHERE session = ?';
export const FREE_SEAT = 'UPDATE seats SET build_id = NULL WHERE build_id = ?';

type SeatRow = Pick<Seat, 'session' | 'seat' | 'fence'> & { readonly buildId: number | null };
type Place = Pick<Seat, 'session' | 'fence'>;

/** The lowest free seat of the builder on the worker; a new one when all are taken. `sit` comes with the build's id. */
export async function takeSeat(
  transaction: Transaction,
  worker: string,
  project: string,
  builder: string,
  atMs: number,
): Promise<Place> {
  const rows = await transaction.all<SeatRow>(SEATS_OF_BUILDER, worker, project, builder);
  const own = new Map(rows.map((row) => [row.seat, row]));
  for (let seat = 0; ; seat++) {
    const known = own.get(seat);
    if (known && known.buildId !== null) continue;
    if (known) {
      await transaction.run(RAISE_FENCE, known.session);
      return { session: known.session, fence: known.fence + 1 };
    }
    const directory = seat === 0 ? `${project}/${builder}` : `${project}/${builder}-${seat}`;
    // A builder may be called what another one's seat is: `sid-1` and seat 1 of `sid`. Two may not share a folder.
    if (await transaction.get(IS_TAKEN, worker, directory)) continue;
    const session = ulid(atMs);
    await transaction.run(ADD, session, worker, project, builder, seat, directory);
    return { session, fence: 1 };
  }
}

export async function sit(transaction: Transaction, session: string, buildId: number): Promise<void> {
  await transaction.run(SIT, buildId, session);
}

export async function freeSeat(transaction: Transaction, buildId: number): Promise<void> {
  await transaction.run(FREE_SEAT, buildId);
}
