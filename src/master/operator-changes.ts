import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { Change } from '../model/change.ts';
import { subjectOf } from '../model/change.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import { boundChange } from './changes/bound-change.ts';
import { buildSetOf } from './changes/build-set-of.ts';
import { CHANGES_AT_ONCE } from './changes/read-changes.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { BuildView } from './views/build.ts';
import type { ChangesWish, ChangeView, ChangeWish, SentChange } from './views/change.ts';
import { findProject } from './operator-wish.ts';

export interface ChangeSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly configs: Configs;
}

/** Comments and lists of files may be long: one answer is not more than some megabytes. */
export const CHANGES_LISTED_MAX = 200;
const SUBJECT_MAX = 200;

/** Stores changes in their order, each with the builds that it gives rise to; all are checked before the first is stored. */
export async function sendChanges(
  { store, bus, clock, configs }: ChangeSources,
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
  return await audited({ store, clock }, asker, action, async () => {
    const project = findProject(configs.active, name);
    const { source } = project;
    if (!source) throw new OperatorError('usage', `project ${name} has no source, so nothing of it changes`);
    if (wishes.length === 0) throw new OperatorError('usage', 'no change came');
    if (wishes.length > CHANGES_AT_ONCE) {
      throw new OperatorError(
        'usage',
        `more than ${CHANGES_AT_ONCE} changes at once: send the newest, or some at a time`,
      );
    }
    const sent: SentChange[] = [];
    for (const { key, ...bound } of wishes.map(boundChange)) {
      const change = { ...bound, project: name, repository: source.url, atMs: clock.now(), sentBy: asker.name };
      const { change: stored, isNew, requests } = await store.changes.add(change, key, buildSetOf(project, change));
      for (const id of isNew ? requests : []) bus.publish('requests', id);
      const { id, branch, revision } = stored;
      sent.push({ id, branch, revision, isNew, requests });
    }
    return sent;
  });
}

export async function listChanges(store: Store, filter: ChangesWish): Promise<readonly ChangeView[]> {
  const limit = Math.max(1, Math.min(CHANGES_LISTED_MAX, Math.floor(filter.limit)));
  return (await store.changes.list({ ...filter, limit })).map(changeView);
}

function changeView({ author, category, ...change }: Change): ChangeView {
  return { ...change, author: author ?? null, category: category ?? null };
}

/** What a build tells of its changes, and of whom to ask when it fails. */
export function changesOfBuild(changes: readonly Change[]): Pick<BuildView, 'changes' | 'blame'> {
  return {
    changes: changes.map(({ id, branch, revision, author, comments, sentBy }) => ({
      id,
      branch,
      revision,
      author: author ?? null,
      subject: subjectOf(comments).slice(0, SUBJECT_MAX),
      sentBy,
    })),
    blame: [...new Set(changes.map(({ author, sentBy }) => author ?? sentBy))],
  };
}
