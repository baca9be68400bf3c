import type { Clock } from '../../base/clock.ts';
import type { TriggerSource } from '../../config/calls.ts';
import type { ProjectShape } from '../../config/shape.ts';
import { repositorySchema } from '../../config/source-schema.ts';
import type { SourceStamp } from '../../model/source-stamp.ts';
import type { Store } from '../../store/store.ts';
import { OperatorError } from '../operator.ts';
import { judgeSource } from '../operator-trust.ts';
import { checkBranch, checkRevision } from '../operator-wish.ts';

interface Sources {
  readonly store: Pick<Store, 'approvals' | 'changes'>;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * The source that a trigger names instead of its build's, or why it is none. What may be of a fork waits for approval, as if a person had
 * asked for it.
 */
export async function wantedSource(
  sources: Sources,
  project: ProjectShape,
  { repository = project.source?.url, branch, revision }: TriggerSource,
): Promise<SourceStamp | { readonly mistake: string }> {
  if (repository === undefined) {
    return { mistake: `nothing is triggered: project ${project.name} has no source; name the repository, too` };
  }
  const issue = repositorySchema.safeParse(repository).error?.issues[0];
  if (issue) return { mistake: `nothing is triggered: the repository cannot be used: ${issue.message}` };
  const isOwn = repository === project.source?.url;
  const chosen = branch ?? (isOwn ? project.source?.branch : undefined);
  const source = {
    repository,
    ...(chosen !== undefined && { branch: chosen }),
    ...(revision !== undefined && { revision }),
  };
  try {
    if (branch !== undefined) checkBranch(branch);
    if (revision !== undefined) checkRevision(revision);
    return await judgeSource(sources, project, source);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return { mistake: `nothing is triggered: ${error.message}` };
  }
}
