import type { Clock } from '../base/clock.ts';
import type { ProjectShape } from '../config/shape.ts';
import { isAnybodys } from '../model/forge.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { Store } from '../store/store.ts';
import { APPROVED_BY_CONFIG } from './hooks/hook-changes.ts';
import { OperatorError } from './operator.ts';
import { shown } from './operator-names.ts';

interface TrustSources {
  readonly store: Pick<Store, 'approvals' | 'changes'>;
  readonly clock: Pick<Clock, 'now'>;
}

const WHOLE = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
/** Git takes the beginning of a hash for the whole. */
const HASH = /^[0-9a-f]{4,64}$/i;
const NOBODY_KNOWN = 'somebody';

/**
 * What a person asks to have built, marked as a fork's when it is, or may be one's: then it waits for approval as what a forge told
 * of does. Throws an `OperatorError` when it is not said so exactly that it could be approved.
 */
export async function judgeSource(
  { store, clock }: TrustSources,
  { name, forks }: Pick<ProjectShape, 'name' | 'forks'>,
  source: SourceStamp,
): Promise<SourceStamp> {
  const { branch, revision: said } = source;
  const revision = said !== undefined && HASH.test(said) ? said.toLowerCase() : undefined;
  const known = revision === undefined ? undefined : await store.changes.trustOf(name, revision);
  const untrustedOf = known ? known.untrustedOf : isAnybodys(branch) ? NOBODY_KNOWN : undefined;
  if (untrustedOf === undefined) return source;
  if (revision === undefined || !WHOLE.test(revision)) {
    const what = isAnybodys(branch) ? branch : said;
    throw new OperatorError(
      'usage',
      `"${shown(what ?? '')}" is, or may be, of a fork: say which revision you have looked at, all of it: --revision HASH`,
    );
  }
  if (forks === 'build')
    await store.approvals.approve({ project: name, revision, by: APPROVED_BY_CONFIG, atMs: clock.now() });
  return { ...source, revision, untrustedOf };
}
