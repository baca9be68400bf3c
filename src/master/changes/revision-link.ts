import type { ProjectShape } from '../../config/shape.ts';
import { isWebLink, WEB_LINK_RULE } from '../../model/web-link.ts';
import type { ClassifyTools } from './classify.ts';

/** Of a function over one revision. */
const FUNCTION_LIMIT_MS = 10_000;
const REVISION = '{revision}';

/**
 * Where a revision can be looked at, as the project's source says. A function that cannot tell is told of, and the change has no
 * link. Never rejects.
 */
export async function revisionLink(
  { name, source }: Pick<ProjectShape, 'name' | 'source'>,
  revision: string,
  { ask, onFailed }: ClassifyTools,
): Promise<string | undefined> {
  const { revlink } = source ?? {};
  if (!revlink) return undefined;
  if ('template' in revlink) {
    const link = revlink.template.replaceAll(REVISION, encodeURIComponent(revision));
    return isWebLink(link) ? link : undefined;
  }
  const answer = await ask(`project ${name}/source/revlink`, [revision], FUNCTION_LIMIT_MS);
  if ('ok' in answer && answer.ok === null) return undefined;
  if ('ok' in answer && typeof answer.ok === 'string' && isWebLink(answer.ok)) return answer.ok;
  const why = 'ok' in answer ? `it answered ${JSON.stringify(answer.ok)}, not ${WEB_LINK_RULE}` : answer.error;
  onFailed(`revlink of the source: ${why}`);
  return undefined;
}
