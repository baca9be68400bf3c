import { UserMistake } from '../../base/errors.ts';
import type { ClassifyTools } from '../changes/classify.ts';
import type { RemoteTips } from './remote-tips.ts';
import { BRANCHES, isRuled } from './wanted-refs.ts';
import type { RuledWants, Wants } from './wanted-refs.ts';

export type AskBranches = ClassifyTools['ask'];

/** Of a function over all branches of a repository. */
const FUNCTION_LIMIT_MS = 10_000;
/** No branch is called so: a rule without any would mean all. */
const NO_BRANCH = { is: '' };

/** What a project wants when its function, if it has one, has said which branches it means. Throws a `UserMistake` when that cannot tell. */
export async function askedWants(
  ask: AskBranches,
  project: string,
  wants: Wants,
  { tips }: RemoteTips,
): Promise<RuledWants> {
  if (isRuled(wants)) return wants;
  const heads = [...tips.keys()].filter((ref) => ref.startsWith(BRANCHES)).map((ref) => ref.slice(BRANCHES.length));
  const answer = await ask(`project ${project}/source/branches`, [heads], FUNCTION_LIMIT_MS);
  const told = (why: string): UserMistake => new UserMistake(`branches of the source of ${project}: ${why}`);
  if ('error' in answer) throw told(answer.error);
  const named = answer.ok;
  if (!Array.isArray(named) || !named.every((one) => typeof one === 'string')) {
    throw told(`it answered ${JSON.stringify(named).slice(0, 100)}, not a list of branches`);
  }
  return { ...wants, branches: { any: [NO_BRANCH, ...named.map((is) => ({ is }))], none: [] } };
}
