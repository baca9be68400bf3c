import type { Change } from '../model/change.ts';
import { subjectOf } from '../model/change.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import { boundChange } from './changes/bound-change.ts';
import { CHANGES_AT_ONCE, TOO_MANY_CHANGES } from './changes/read-changes.ts';
import { takeChange } from './changes/take-change.ts';
import type { ChangeIntake } from './changes/take-change.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { BuildView } from './views/build.ts';
import type { ChangesWish, ChangeView, ChangeWish, SentChange } from './views/change.ts';
import { findProject } from './operator-wish.ts';

export interface ChangeSources {
  readonly intake: ChangeIntake;
  readonly configs: Configs;
}

/** Comments and lists of files may be long: one answer is not more than some megabytes. */
export const CHANGES_LISTED_MAX = 200;
const SUBJECT_MAX = 200;

/** Stores changes in their order, each with the builds that it gives rise to; all are checked before the first is stored. */
export async function sendChanges(
  { intake, configs }: ChangeSources,
  asker: Asker,
  name: string,
  wishes: readonly ChangeWish[],
): Promise<readonly SentChange[]> {
  const newest = wishes.at(-1);
  const detail = {
    changes: wishes.length,
    ...(newest && { branch: newest.branch.slice(0, SUBJECT_MAX), revision: newest.revision.slice(0, SUBJECT_MAX) }),
  };
  const action = { action: 'send a change', target: name, detail, role: 'developer' } as const;
  return await audited(intake, asker, action, async () => {
    const project = findProject(configs.active, name);
    if (wishes.length === 0) throw new OperatorError('usage', 'no change came');
    if (wishes.length > CHANGES_AT_ONCE) throw new OperatorError('usage', TOO_MANY_CHANGES);
    for (const wish of wishes) boundChange(wish);
    const sent: SentChange[] = [];
    for (const wish of wishes) sent.push(await takeChange(intake, project, wish, asker.name));
    return sent;
  });
}

export async function listChanges(store: Store, filter: ChangesWish): Promise<readonly ChangeView[]> {
  const limit = Math.max(1, Math.min(CHANGES_LISTED_MAX, Math.floor(filter.limit)));
  return (await store.changes.list({ ...filter, limit })).map(changeView);
}

function changeView(told: Change): ChangeView {
  const {
    author,
    committer,
    category,
    revlink,
    codebase,
    externalId,
    kind,
    target,
    isUntrusted = false,
    skipped,
  } = told;
  const { problems = [], ...change } = told;
  return {
    ...change,
    author: author ?? null,
    committer: committer ?? null,
    category: category ?? null,
    revlink: revlink ?? null,
    codebase: codebase ?? null,
    externalId: externalId ?? null,
    kind: kind ?? null,
    target: target ?? null,
    isUntrusted,
    skipped: skipped ?? null,
    problems,
  };
}

/** What a build tells of its changes, and of whom to ask when it fails. */
export function changesOfBuild(changes: readonly Change[]): Pick<BuildView, 'changes' | 'blame'> {
  return {
    changes: changes.map(({ id, branch, revision, author, comments, revlink, sentBy }) => ({
      id,
      branch,
      revision,
      author: author ?? null,
      subject: subjectOf(comments).slice(0, SUBJECT_MAX),
      revlink: revlink ?? null,
      sentBy,
    })),
    blame: [...new Set(changes.map(({ author, sentBy }) => author ?? sentBy))],
  };
}
