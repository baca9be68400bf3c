import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from '../../src/store/sqlite/connection.ts';
import type { TempStore } from './temp-store.ts';

/** Turns the clock to the next round, and waits until all of the log below `length` has left the rows for the archive. */
export async function sealed(temp: TempStore, logId: number, length: number): Promise<void> {
  const connection = await Connection.open(temp.file, 'readonly', 5_000);
  try {
    const deadline = Date.now() + 60_000;
    temp.clock.advance(60_000);
    for (;;) {
      const row = await connection.get<{ n: number }>('SELECT sealed_length AS n FROM logs WHERE id = ?', logId);
      if ((row?.n ?? 0) >= length) return;
      if (Date.now() > deadline) throw new Error(`log ${logId} is sealed up to ${row?.n ?? 0}, not ${length}`);
      await pause(2);
      temp.clock.advance(60_000); // A round that had begun before the rows were there has passed them by.
    }
  } finally {
    await connection.close();
  }
}
