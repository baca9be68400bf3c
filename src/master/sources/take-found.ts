import type { ProjectShape } from '../../config/shape.ts';
import { skipMark } from '../changes/skip-mark.ts';
import { takeChange } from '../changes/take-change.ts';
import type { ChangeIntake } from '../changes/take-change.ts';
import type { SentChange } from '../views/change.ts';
import type { FoundChange } from './poll-repository.ts';

/** Instead of a person: no name of one has a blank. */
const SENT_BY = 'the poller';

/** Takes what a poll has found in, as any other change. */
export async function takeFound(intake: ChangeIntake, project: ProjectShape, found: FoundChange): Promise<SentChange> {
  const { isTag, ...told } = found;
  // Each commit speaks for itself: what one poll finds may have been several pushes.
  const skipped = skipMark(project.source?.poll?.skip ?? [], [found.comments]);
  const change = { ...told, kind: isTag ? 'tag' : 'push', ...(skipped !== undefined && { skipped }) } as const;
  return await takeChange(intake, project, change, SENT_BY);
}
