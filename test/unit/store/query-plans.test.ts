import { afterEach, beforeEach, expect, it } from 'vitest';
import { LAST_GOOD } from '../../../src/store/sqlite/artifacts.ts';
import { LAST_WORKERS, listQuery } from '../../../src/store/sqlite/builds.ts';
import { LAST_ENDS } from '../../../src/store/sqlite/builders.ts';
import { LAST_VIRTUAL_ENDS } from '../../../src/store/sqlite/virtual-builders.ts';
import { Connection } from '../../../src/store/sqlite/connection.ts';
import type { SqlValue } from '../../../src/store/sqlite/connection.ts';
import { TRUST } from '../../../src/store/sqlite/changes.ts';
import { OLDER } from '../../../src/store/sqlite/lanes.ts';
import { WAIT_FOR } from '../../../src/store/sqlite/upstreams.ts';
import { HISTORY } from '../../../src/store/sqlite/test-results.ts';
import { FREE_SEAT, SEATS_OF_BUILDER } from '../../../src/store/sqlite/seats.ts';
import { MARK_UNSEEN } from '../../../src/store/sqlite/workers.ts';
import { TempStore } from '../../support/temp-store.ts';

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

async function plan(sql: string, ...values: readonly SqlValue[]): Promise<readonly string[]> {
  await (await temp.open()).close();
  const connection = await Connection.open(temp.file, 'readonly', 5_000);
  const steps = await connection.all<{ readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
  await connection.close();
  return steps.map(({ detail }) => detail);
}

it('finds the last builds of one worker without walking those of all others, and without sorting', async () => {
  const { sql, values } = listQuery({ worker: 'w', limit: 10 });
  const steps = await plan(sql, ...values);
  expect(steps[0]).toMatch(/^SEARCH b USING INDEX builds_worker_id_index \(worker=\?\)/);
  expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([]);
});

it.each([
  [
    'builder',
    { project: 'p', builder: 'b' },
    /^SEARCH b USING INDEX builds_project_builder_id_index \(project=\? AND builder=\?/,
  ],
  ['project', { project: 'p' }, /^SEARCH b USING INDEX builds_project_id_index \(project=\?/],
])('finds the newest builds of one %s without sorting all that it ever had', async (_, filter, search) => {
  for (const before of [{}, { before: 7 }]) {
    const { sql, values } = listQuery({ ...filter, ...before, limit: 10 });
    const steps = await plan(sql, ...values);
    expect(steps[0]).toMatch(search);
    expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([]);
  }
});

it.each([
  ['where builders were built last', LAST_WORKERS],
  ['how builders ended last', LAST_ENDS],
])('finds %s without walking their builds', async (_, sql) => {
  const steps = await plan(sql, '[{"project":"p","builder":"b"}]');
  expect(steps).toContainEqual(
    expect.stringMatching(
      /^SEARCH b USING (COVERING )?INDEX builds_project_builder_id_index \(project=\? AND builder=\?\)/,
    ),
  );
  expect(steps.filter((step) => /SCAN (last|b)|TEMP B-TREE/.test(step))).toEqual([]);
});

it('finds how virtual builders ended last without walking their builds', async () => {
  const steps = await plan(LAST_VIRTUAL_ENDS, '[{"project":"p","builder":"b"}]');
  expect(steps).toContainEqual(
    expect.stringMatching(/^SEARCH v USING COVERING INDEX virtual_builds_project_name_build_id_index/),
  );
  expect(steps.filter((step) => /SCAN (last|b|v)|TEMP B-TREE/.test(step))).toEqual([]);
});

it('lists a virtual builder by its own builds', async () => {
  const { sql, values } = listQuery({ project: 'p', virtualBuilder: 'v', limit: 10 });
  const steps = await plan(sql, ...values);
  expect(steps.filter((step) => step.startsWith('SCAN'))).toEqual([]);
});

it('finds what runs on a worker that comes anew among the running builds, not among all that it ever had', async () => {
  const steps = await plan(MARK_UNSEEN, 'i1', 'w');
  expect(steps).toContainEqual(expect.stringMatching(/^SEARCH builds USING .*\(state=\?\)$/));
});

it('looks for what a request may take the place of among those of its lane alone', async () => {
  const steps = await plan(OLDER, 'lane', 'pending', 7);
  expect(steps[0]).toMatch(
    /^SEARCH r USING INDEX build_requests_lane_state_id_index \(lane=\? AND state=\? AND id<\?\)/,
  );
  expect(steps.filter((step) => step.startsWith('SCAN'))).toEqual([]);
});

it('looks for what a request waits for upstream among what is not built of that project', async () => {
  const steps = await plan(WAIT_FOR, 7, 0, 'up');
  expect(steps).toContainEqual(
    expect.stringMatching(/^SEARCH r USING INDEX build_requests_project_state_id_index \(project=\? AND state=\?\)/),
  );
  expect(steps.filter((step) => step.startsWith('SCAN'))).toEqual([]);
});

it('takes and frees a seat without walking those of other builders and workers', async () => {
  const taking = await plan(SEATS_OF_BUILDER, 'w', 'p', 'b');
  expect(taking).toEqual([
    expect.stringMatching(/^SEARCH seats USING INDEX .*\(worker=\? AND project=\? AND builder=\?\)$/),
  ]);
  expect(await plan(FREE_SEAT, 7)).toEqual([expect.stringMatching(/^SEARCH seats USING .*INDEX .*\(build_id=\?\)$/)]);
});

it('looks for what is known of a revision among the changes of that revision', async () => {
  const steps = await plan(TRUST, 'p', 'abc', 'abcg');
  expect(steps[0]).toMatch(
    /^SEARCH changes USING INDEX changes_project_revision_index \(project=\? AND revision>\? AND revision<\?\)/,
  );
});

it('finds what a test did in earlier builds by its index, however many results there are', async () => {
  const steps = await plan(HISTORY, '["a"]', 7);
  expect(steps).toContainEqual(
    expect.stringMatching(
      /^SEARCH past USING INDEX test_results_identity_build_id_index \(identity=\? AND build_id<\?\)/,
    ),
  );
  expect(steps.filter((step) => /SCAN (past|r|t)\b/.test(step))).toEqual([]);
});

it.each([null, 'b'])(
  'looks for the artifact of the last good build among those of its name (builder %s)',
  async (builder) => {
    const steps = await plan(LAST_GOOD, 'p', 'a', builder);
    expect(steps[0]).toMatch(/^SEARCH a USING INDEX artifacts_project_name_build_id_index \(project=\? AND name=\?\)/);
    expect(steps.filter((step) => /SCAN|TEMP B-TREE/.test(step))).toEqual([]);
  },
);
