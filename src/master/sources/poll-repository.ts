import { UserMistake } from '../../base/errors.ts';
import type { ProjectShape } from '../../config/shape.ts';
import type { SourceStore } from '../../store/store.ts';
import type { SentChange } from '../views/change.ts';
import type { PolledChange } from '../views/source.ts';
import type { Commit } from './commit-reader.ts';
import type { Mirror } from './mirror.ts';
import { movesOf, TAGS } from './moves.ts';
import type { Move } from './moves.ts';
import type { RemoteTips } from './remote-tips.ts';
import { SourceError } from './source-error.ts';
import type { SourceErrorCode } from './source-error.ts';
import { askedWants } from './asked-wants.ts';
import type { AskBranches } from './asked-wants.ts';
import { BRANCHES, isRuled, wantedRefs, wantedTips, wantsOf } from './wanted-refs.ts';
import type { RuledWants, Wants } from './wanted-refs.ts';

/** A change that a poll has found. */
export interface FoundChange extends Commit {
  /** Of a tag: its ref. */
  readonly branch: string;
  readonly isTag: boolean;
}

/** What came of a poll. */
export interface PollOutcome {
  readonly changes: readonly PolledChange[];
  /** Commits that nobody is told of: there were too many at once. */
  readonly leftOut: number;
}

export interface PollParts {
  readonly store: SourceStore;
  readonly mirror: Mirror;
  /** The projects whose source it is, each polled. */
  readonly projects: readonly ProjectShape[];
  /** Takes a change in, and does nothing when it is known: resolves when it is stored. */
  readonly take: (project: ProjectShape, change: FoundChange) => Promise<SentChange>;
  readonly ask: AskBranches;
}

interface Plan {
  readonly project: ProjectShape;
  readonly wants: Wants;
  /** With what its function has answered. */
  readonly ruled: RuledWants;
  /** As they are kept; empty until the first poll has come to its end. */
  readonly wantsKept: string;
  /** Tips before. */
  readonly known: ReadonlyMap<string, string>;
  /** Nothing was polled for it before: what is there is nothing new, unless it wants to begin with that. */
  readonly isFirst: boolean;
  readonly wasWanted: (ref: string) => boolean;
  readonly tips: ReadonlyMap<string, string>;
}

/** So often in all the repository is asked when a branch goes away between two questions, or the mirror turns out to be damaged. */
const TRIES: Partial<Record<SourceErrorCode, number>> = { moved: 3, damaged: 2 };

/**
 * Asks the repository what it has; what moved is fetched once, and told to each project that wants it, oldest first. A tip is
 * stored as dealt with when all its changes are stored: a master that is killed anywhere goes over it again, and changes that
 * are known stay what they are.
 */
export async function pollRepository(parts: PollParts): Promise<PollOutcome> {
  for (let tries = 1; ; tries++) {
    try {
      return await pollOnce(parts);
    } catch (error) {
      if (!(error instanceof SourceError) || tries >= (TRIES[error.code] ?? 1)) throw error;
    }
  }
}

async function pollOnce(parts: PollParts): Promise<PollOutcome> {
  const { mirror, projects } = parts;
  const isWithTags = projects.some(({ source }) => source?.poll?.tags);
  const remote = await mirror.remoteTips(isWithTags);
  const plans: Plan[] = [];
  const mistakes: UserMistake[] = [];
  for (const project of projects) {
    try {
      const plan = await planOf(parts, project, remote);
      if (plan) plans.push(plan);
    } catch (error) {
      if (!(error instanceof UserMistake)) throw error;
      mistakes.push(error);
    }
  }
  const fresh = plans.some(needsCommits) ? await fetchAll(mirror, remote, plans) : remote;
  const changes: PolledChange[] = [];
  let leftOut = 0;
  for (const plan of plans) {
    const told = await tellProject(parts, { ...plan, tips: wantedTips(plan.ruled, fresh) }, fresh);
    changes.push(...told.changes);
    leftOut += told.leftOut;
  }
  // What one project's function does wrong keeps nothing from the others.
  const [mistake] = mistakes;
  if (mistake) throw mistake;
  return { changes, leftOut };
}

async function planOf({ store, ask }: PollParts, project: ProjectShape, remote: RemoteTips): Promise<Plan | undefined> {
  const { source } = project;
  if (!source?.poll) return undefined;
  const wants = wantsOf(source.poll, source.branch);
  const ruled = await askedWants(ask, project.name, wants, remote);
  const tips = wantedTips(ruled, remote);
  const progress = await store.progress(project.name, source.url);
  const plan = { project, wants, ruled, tips };
  if (!progress && !source.poll.isBuiltAtStart) {
    await store.begin(project.name, { url: source.url, wants: JSON.stringify(wants), tips });
    return undefined;
  }
  if (!progress) await store.begin(project.name, { url: source.url, wants: '', tips: new Map() });
  // Without wants its first poll has not come to its end.
  if (!progress?.wants) {
    return { ...plan, wantsKept: '', known: progress?.tips ?? new Map(), isFirst: true, wasWanted: () => true };
  }
  const before = JSON.parse(progress.wants) as Wants;
  // What another function meant nobody can tell any more: whatever it had not named counts as there already.
  const isSame = progress.wants === JSON.stringify(wants);
  const rule = isSame ? ruled : isRuled(before) ? before : undefined;
  const wanted = rule ? wantedRefs(rule, remote.head, remote.tips.keys()) : new Set(progress.tips.keys());
  return {
    ...plan,
    wantsKept: progress.wants,
    known: progress.tips,
    isFirst: false,
    wasWanted: (ref) => wanted.has(ref),
  };
}

function needsCommits({ known, tips, wasWanted }: Plan): boolean {
  return movesOf(known, tips, wasWanted).some(({ kind }) => kind === 'moved' || kind === 'new');
}

/** Brings all that is wanted, and the default branch, whose commits are nothing new of another one; resolves to what there is then. */
async function fetchAll(mirror: Mirror, remote: RemoteTips, plans: readonly Plan[]): Promise<RemoteTips> {
  const here = await mirror.tips();
  const wanted = new Set(plans.flatMap(({ tips }) => [...tips.keys()]));
  if (remote.head !== undefined && remote.tips.has(remote.head)) wanted.add(remote.head);
  const refs = [...wanted].filter((ref) => here.get(ref) !== remote.tips.get(ref));
  const gone = [...here.keys()].filter((ref) => !remote.tips.has(ref));
  if (refs.length > 0) await mirror.fetch(refs, gone);
  const fetched = await mirror.tips();
  return { head: remote.head, tips: new Map([...remote.tips].map(([ref, tip]) => [ref, fetched.get(ref) ?? tip])) };
}

async function tellProject(parts: PollParts, plan: Plan, fresh: RemoteTips): Promise<PollOutcome> {
  const { store, take } = parts;
  const { project, wants, tips, wasWanted } = plan;
  const known = new Map(plan.known);
  const changes: PolledChange[] = [];
  let leftOut = 0;
  const found: [string, string][] = [];
  const gone: string[] = [];
  for (const move of movesOf(known, tips, wasWanted)) {
    if (move.kind === 'gone') gone.push(move.ref);
    else if (move.kind === 'found') found.push([move.ref, move.to]);
    else {
      const told = await changesOf(parts.mirror, plan, move, known, fresh);
      leftOut += told.leftOut;
      for (const change of told.changes) {
        changes.push({ project: project.name, ...(await take(project, change)) });
      }
      await store.setTips(project.name, { tips: new Map([[move.ref, move.to]]) });
      known.set(move.ref, move.to);
    }
  }
  const end = { tips: new Map(found), gone, wants: JSON.stringify(wants) };
  if (found.length > 0 || gone.length > 0 || end.wants !== plan.wantsKept) await store.setTips(project.name, end);
  return { changes, leftOut };
}

/** What a project is told of a branch or tag that is new, or has moved; oldest first. */
async function changesOf(
  mirror: Mirror,
  { isFirst }: Plan,
  move: Extract<Move, { readonly to: string }>,
  known: ReadonlyMap<string, string>,
  { head, tips }: RemoteTips,
): Promise<{ readonly changes: readonly FoundChange[]; readonly leftOut: number }> {
  const { ref, to } = move;
  const isTag = ref.startsWith(TAGS);
  // A tag may stand for something else than a commit.
  if (isTag && !(await mirror.has(to))) return { changes: [], leftOut: 0 };
  const branch = isTag ? ref : ref.slice(BRANCHES.length);
  const tipAlone = async () => ({ changes: [{ ...(await mirror.commit(to)), branch, isTag }], leftOut: 0 });
  if (isTag || isFirst) return await tipAlone();
  const isOn = move.kind === 'moved';
  // It was set to something else, and nobody knows what of that is new.
  if (isOn && !(await mirror.has(move.from))) return await tipAlone();
  const others = [...known].filter(([other]) => other !== ref).map(([, tip]) => tip);
  const main = head === undefined || head === ref ? undefined : tips.get(head);
  const without = isOn ? [move.from] : [...others, ...(main === undefined ? [] : [main])];
  const { commits, leftOut } = await mirror.commits(to, without);
  // Set to a commit that another one has already.
  if (commits.length === 0) return await tipAlone();
  return { changes: commits.map((commit) => ({ ...commit, branch, isTag })), leftOut };
}
