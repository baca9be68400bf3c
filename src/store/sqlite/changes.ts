import type { Change } from '../../model/change.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ChangeStore } from '../store.ts';
import { StoreError } from '../store.ts';
import { addBuildSet } from './add-build-set.ts';
import type { Context } from './context.ts';
import { fromJson, orNull, present } from './row.ts';
import type { Nullable } from './row.ts';
import { isOff, takeChanges } from './schedulers.ts';

const COLUMNS = `c.id, c.project, c.repository, c.branch, c.revision, c.author, c.committer, c.comments, c.files,
    c.files_left_out AS filesLeftOut, c.category, c.revlink, c.codebase, c.external_id AS externalId, c.properties, c.kind, c.target,
    c.is_untrusted AS isUntrusted, c.skipped, c.problems, c.at_ms AS atMs, c.sent_by AS sentBy`;
const ADD = `INSERT INTO changes (project, key, repository, branch, revision, author, committer, comments, files, files_left_out,
    category, revlink, codebase, external_id, properties, kind, target, is_untrusted, skipped, problems, at_ms, sent_by)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project, key) DO NOTHING RETURNING id`;
const WAIT = `INSERT INTO scheduler_changes (project, scheduler, branch, change_id, is_important, at_ms) VALUES (?, ?, ?, ?, ?, ?)`;
const WAITS_FOR = 'SELECT scheduler FROM scheduler_changes WHERE change_id = ? ORDER BY rowid';
const FIND_BY_KEY = `SELECT ${COLUMNS} FROM changes c WHERE c.project = ? AND c.key = ?`;
const REQUESTS = `SELECT r.id FROM build_set_changes l JOIN build_requests r ON r.build_set_id = l.build_set_id
  WHERE l.change_id = ? ORDER BY r.id`;
const OF_BUILD_SET = `SELECT DISTINCT ${COLUMNS} FROM build_set_changes l JOIN changes c ON c.id = l.change_id
  WHERE l.build_set_id IN (SELECT build_set_id FROM build_requests WHERE id = ?1 OR collapsed_into = ?1) ORDER BY c.id`;
const FIND = `SELECT ${COLUMNS} FROM changes c WHERE c.id = ?`;
/** The least trusted of what begins so: a stranger may have made a revision that does. */
export const TRUST = `SELECT min(coalesce(is_untrusted, 0)) AS isUntrusted, coalesce(author, sent_by) AS who FROM changes
  WHERE project = ? AND revision >= ? AND revision < ? GROUP BY revision ORDER BY isUntrusted DESC LIMIT 1`;
/** After all digits of a hash. */
const AFTER_HEX = 'g';
const LIST = `SELECT ${COLUMNS} FROM changes c WHERE c.project NOT IN (SELECT value FROM json_each(?)) ORDER BY c.id DESC LIMIT ?`;
const LIST_OF = `SELECT ${COLUMNS} FROM changes c WHERE c.project = ? AND c.project NOT IN (SELECT value FROM json_each(?))
  ORDER BY c.id DESC LIMIT ?`;
const LIST_MOST = 1_000;

type Row = Nullable<Omit<Change, 'files' | 'properties' | 'isUntrusted' | 'problems'>> & {
  readonly problems: string | null;
  readonly files: string;
  readonly properties: string;
  readonly isUntrusted: number | null;
};

interface Known {
  readonly isUntrusted: 0 | 1;
  readonly who: string;
}

export function changeStore({ reader, writer }: Context): ChangeStore {
  return {
    add(change, key, takers) {
      const {
        project,
        repository,
        branch,
        revision,
        author,
        committer,
        comments,
        filesLeftOut,
        category,
        revlink,
        codebase,
        externalId,
        kind,
        target,
        skipped,
        atMs,
        sentBy,
      } = change;
      const files = JSON.stringify(change.files);
      const properties = JSON.stringify(change.properties);
      return writer.write(async (transaction) => {
        const row = await transaction.returning<{ id: number }>(
          ADD,
          project,
          key,
          repository,
          branch,
          revision,
          orNull(author),
          orNull(committer),
          comments,
          files,
          filesLeftOut,
          orNull(category),
          orNull(revlink),
          orNull(codebase),
          orNull(externalId),
          properties,
          orNull(kind),
          orNull(target),
          change.isUntrusted ? 1 : null,
          orNull(skipped),
          change.problems ? JSON.stringify(change.problems) : null,
          atMs,
          sentBy,
        );
        if (!row) {
          const known = await transaction.get<Row>(FIND_BY_KEY, project, key);
          if (!known) throw new StoreError('conflict', `a change of ${project} was neither stored nor known`);
          const requests = await transaction.all<{ id: number }>(REQUESTS, known.id);
          const waiting = await transaction.all<{ scheduler: string }>(WAITS_FOR, known.id);
          return {
            change: toChange(known),
            isNew: false,
            requests: requests.map(({ id }) => id),
            waitsFor: waiting.map(({ scheduler }) => scheduler),
          };
        }
        const added = { ...change, id: row.id };
        const requests: number[] = [];
        const waitsFor: string[] = [];
        for (const { scheduler, set, isImportant, isKept = false } of takers) {
          if (!isKept && (await isOff(transaction, { project, scheduler }))) continue;
          if (set) {
            // With those that were not important enough to be built by themselves.
            const before = await takeChanges(transaction, { project, scheduler }, branch);
            const built = await addBuildSet(transaction, set, [...before, row.id]);
            requests.push(...built.requests.map(({ id }) => id));
          } else {
            await transaction.run(WAIT, project, scheduler, branch, row.id, Number(isImportant), atMs);
            waitsFor.push(scheduler);
          }
        }
        return { change: added, isNew: true, requests, waitsFor };
      }, files.length + comments.length);
    },
    async list({ project, without = [], limit }) {
      const hidden = JSON.stringify(without);
      const most = Math.min(limit, LIST_MOST);
      const rows = await (project === undefined
        ? reader.all<Row>(LIST, hidden, most)
        : reader.all<Row>(LIST_OF, project, hidden, most));
      return rows.map(toChange);
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && toChange(row);
    },
    async trustOf(project, revision) {
      const known = await reader.get<Known>(TRUST, project, revision, `${revision}${AFTER_HEX}`);
      return known && (known.isUntrusted ? { untrustedOf: known.who } : {});
    },
    async ofRequest(requestId) {
      return (await reader.all<Row>(OF_BUILD_SET, requestId)).map(toChange);
    },
  };
}

function toChange({ files, properties, isUntrusted, problems, ...row }: Row): Change {
  return {
    ...present(row),
    ...(isUntrusted && { isUntrusted: true }),
    ...(problems !== null && { problems: fromJson(problems) as readonly string[] }),
    files: fromJson(files) as readonly string[],
    properties: fromJson(properties) as JsonObject,
  };
}
