import type { ProjectShape } from '../../config/shape.ts';
import type { Change } from '../../model/change.ts';
import type { NewBuildSet } from '../../store/store.ts';

const PRIORITY = 0;

/**
 * What the schedulers of a project make of a change that has just come: a request for each of its builders, at once, if one of
 * them wants the branch; once, however many do. Undefined: nobody wants it.
 */
export function buildSetOf(project: ProjectShape, change: Omit<Change, 'id'>): NewBuildSet | undefined {
  const { repository, branch, revision, properties, sentBy, atMs } = change;
  if (!project.builtBranches.includes(branch)) return undefined;
  return {
    reason: `a change of ${branch}`,
    owner: sentBy,
    source: { repository, branch, revision },
    properties,
    priority: PRIORITY,
    builders: project.builders.map(({ name }) => ({ project: project.name, builder: name })),
    atMs,
  };
}
