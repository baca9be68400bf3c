import { afterEach, beforeEach, expect, it } from 'vitest';
import { listQuery } from '../../../src/store/sqlite/builds.ts';
import { Connection } from '../../../src/store/sqlite/connection.ts';
import { TempStore } from '../../support/temp-store.ts';

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

it('finds the last builds of one worker without walking those of all others, and without sorting', async () => {
  await (await temp.open()).close();
  const connection = await Connection.open(temp.file, 'readonly', 5_000);
  const { sql, values } = listQuery({ worker: 'w', limit: 10 });
  const plan = await connection.all<{ readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
  await connection.close();
  const steps = plan.map(({ detail }) => detail);
  expect(steps[0]).toMatch(/^SEARCH b USING INDEX builds_worker_id_index \(worker=\?\)/);
  expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([]);
});
