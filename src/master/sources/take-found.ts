import type { ProjectShape } from '../../config/shape.ts';
import { takeChange } from '../changes/take-change.ts';
import type { ChangeIntake } from '../changes/take-change.ts';
import type { SentChange } from '../views/change.ts';
import type { FoundChange } from './poll-repository.ts';

/** Instead of a person: no name of one has a blank. */
const SENT_BY = 'the poller';

/** Takes what a poll has found in, as any other change. */
export async function takeFound(intake: ChangeIntake, project: ProjectShape, found: FoundChange): Promise<SentChange> {
  const { isTag, ...told } = found;
  return await takeChange(intake, project, { ...told, kind: isTag ? 'tag' : 'push' }, SENT_BY);
}
