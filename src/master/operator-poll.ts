import type { Clock } from '../base/clock.ts';
import { errorText, UserMistake } from '../base/errors.ts';
import type { JsonObject } from '../model/json.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { findProject } from './operator-wish.ts';
import { SourceError } from './sources/source-error.ts';
import type { SourcePolls } from './sources/source-polls.ts';
import type { PolledView } from './views/source.ts';

export interface PollSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
  readonly sourcePolls: Pick<SourcePolls, 'poll'>;
}

/** Polls the source of a project now; what its other projects are told of it, too, is among the changes. */
export async function pollSource(parts: PollSources, asker: Asker, name: string): Promise<PolledView> {
  let found: number | undefined;
  const detail = (): JsonObject => (found === undefined ? {} : { changes: found });
  const action = { action: 'poll a source', target: name, detail, role: 'developer' } as const;
  return await audited(parts, asker, action, async () => {
    const { source } = findProject(parts.configs.active, name);
    const outcome = source && (await polled(parts, source.url));
    if (!outcome) {
      throw new OperatorError(
        'conflict',
        `the source of ${name} is not polled: give its git() a poll: '5m' and reload`,
      );
    }
    found = outcome.changes.filter(({ isNew }) => isNew).length;
    return { url: source.url, ...outcome };
  });
}

async function polled({ sourcePolls }: PollSources, url: string): ReturnType<SourcePolls['poll']> {
  try {
    return await sourcePolls.poll(url);
  } catch (error) {
    if (!(error instanceof SourceError || error instanceof UserMistake || error instanceof RangeError)) throw error;
    throw new OperatorError('unavailable', `${url} could not be polled: ${errorText(error)}`, { cause: error });
  }
}
