import { createHash } from 'node:crypto';
import { HISTORY_BUILDS } from '../../model/test-history.ts';
import type { PastResult } from '../../model/test-history.ts';
import type { TestCounts } from '../../model/test-result.ts';
import type { KeptTest, TestLane, TestReport, TestResultStore, TestsWish } from '../test-result-store.ts';
import type { Context } from './context.ts';
import { orNull, present } from './row.ts';
import type { Nullable } from './row.ts';

const ADD = `INSERT INTO test_results (build_id, step, command, seq, is_aside, identity, suite, name, state, duration_ms, message,
  detail)
  SELECT ?, ?, ?, ? + key, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
  FROM json_each(?) WHERE true ON CONFLICT (command, seq) DO NOTHING`;
const ADD_REPORT = `INSERT INTO test_reports (command, build_id, step, passed, failed, errors, skipped, left_out, revision)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (command) DO NOTHING`;
const REPORTS = `SELECT command, build_id AS buildId, step, passed, failed, errors, skipped, left_out AS leftOut, revision
  FROM test_reports WHERE build_id = ? ORDER BY step, command`;

const STATES: Readonly<Record<TestsWish['which'], string>> = {
  failing: `'failed', 'error'`,
  notable: `'failed', 'error', 'skipped'`,
  all: `'failed', 'error', 'skipped', 'passed'`,
};
const LIST = byWish(
  (states) => `SELECT id, step, identity, suite, name, state, duration_ms AS durationMs, message, detail
  FROM test_results WHERE build_id = ?1 AND state IN (${states}) AND id > ?2
  AND (?4 IS NULL OR command = ?4) ORDER BY id LIMIT ?3`,
);
const COUNT = byWish(
  (states) => `SELECT count(*) AS n FROM test_results WHERE build_id = ? AND state IN (${states}) AND id > ?`,
);
/** A test may be in a build several times: so many results hold the builds that are looked at, as a rule. */
const HISTORY_ROWS = 4 * HISTORY_BUILDS;
/** In the order of the builds: each test is sought by its index alone. */
export const HISTORY = `SELECT wanted.value AS identity, r.build_id AS buildId, r.state, t.revision
  FROM json_each(?1) wanted
  JOIN test_results r ON r.id IN (SELECT past.id FROM test_results past WHERE past.identity = wanted.value
    AND past.build_id <= ?2 AND (past.is_aside = 0 OR past.build_id = ?2)
    ORDER BY past.build_id DESC LIMIT ${HISTORY_ROWS})
  LEFT JOIN test_reports t ON t.command = r.command
  ORDER BY wanted.key, r.build_id DESC, r.id`;

type TestRow = Nullable<KeptTest>;
type ReportRow = Nullable<Omit<TestReport, 'counts'>> & TestCounts;
type HistoryRow = Nullable<PastResult> & { readonly identity: string };

export function testResultStore({ reader, writer }: Context): TestResultStore {
  return {
    async add({ command, buildId, step }, lane, from, results) {
      const rows = results.map(({ suite, name, state, durationMs, message, detail }) => [
        identityOf(lane, suite, name),
        suite,
        name,
        state,
        orNull(durationMs),
        orNull(message),
        orNull(detail),
      ]);
      const text = JSON.stringify(rows);
      await writer.write(
        (transaction) => transaction.run(ADD, buildId, step, command, from, lane.isAside ? 1 : 0, text),
        text.length,
      );
    },
    async addReport({ command, buildId, step, counts, leftOut, revision }) {
      const { passed, failed, errors, skipped } = counts;
      const values = [command, buildId, step, passed, failed, errors, skipped, leftOut, orNull(revision)];
      await writer.write((transaction) => transaction.run(ADD_REPORT, ...values));
    },
    async reports(buildId) {
      const rows = await reader.all<ReportRow>(REPORTS, buildId);
      return rows.map(({ passed, failed, errors, skipped, ...row }) =>
        present({ ...row, counts: { passed, failed, errors, skipped } }),
      );
    },
    async list(buildId, { which, after, limit, command }) {
      return (await reader.all<TestRow>(LIST[which], buildId, after, limit, orNull(command))).map(present);
    },
    async count(buildId, which, after) {
      return (await reader.get<{ readonly n: number }>(COUNT[which], buildId, after))?.n ?? 0;
    },
    async history(identities, buildId) {
      const rows = await reader.all<HistoryRow>(HISTORY, JSON.stringify(identities), buildId);
      const known = new Map<string, PastResult[]>();
      for (const { identity, ...row } of rows) {
        const past = known.get(identity) ?? [];
        known.set(identity, past);
        past.push(present(row));
      }
      return new Map([...known].map(([identity, past]) => [identity, ofLastBuilds(past)]));
    },
  };
}

function byWish(sql: (states: string) => string): Readonly<Record<TestsWish['which'], string>> {
  return { failing: sql(STATES.failing), notable: sql(STATES.notable), all: sql(STATES.all) };
}

function ofLastBuilds(past: readonly PastResult[]): readonly PastResult[] {
  const builds = [...new Set(past.map(({ buildId }) => buildId))].slice(0, HISTORY_BUILDS);
  return past.filter(({ buildId }) => builds.includes(buildId));
}

/** Names may be long, and are sought by: their hash stands for them. */
function identityOf({ project, builder, branch }: TestLane, suite: string, name: string): string {
  const text = JSON.stringify([project, builder, branch ?? null, suite, name]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
