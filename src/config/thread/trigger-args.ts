import { worse } from '../../model/result.ts';
import type { Json } from '../../model/json.ts';
import type { Result } from '../../model/result.ts';
import type { TriggerAnswer, TriggerArgs, TriggeredRequest, TriggerSource } from '../calls.ts';
import type { TriggerOptions, TriggerResult } from '../step-context.ts';
import { toJson } from './open-run.ts';

/** Of one call. */
const SCHEDULERS_MAX = 100;

/** Checks what `ctx.trigger` was given. */
export function triggerArgs(
  schedulers: string | readonly string[],
  { wait = false, revision, source, externalId, properties = {}, unimportant = [] }: TriggerOptions,
  gotRevision: Json | undefined,
): TriggerArgs {
  const names: readonly string[] = typeof schedulers === 'string' ? [schedulers] : [...schedulers];
  if (names.length === 0) throw new TypeError('ctx.trigger was given no scheduler');
  if (names.length > SCHEDULERS_MAX)
    throw new RangeError(`ctx.trigger was given more than ${SCHEDULERS_MAX} schedulers`);
  for (const name of names) {
    if (typeof name !== 'string')
      throw new TypeError("ctx.trigger takes names of schedulers: 'NAME' or 'PROJECT/NAME'");
  }
  if (new Set(names).size < names.length) throw new TypeError('ctx.trigger was given a scheduler twice');
  const stranger = unimportant.find((name) => !names.includes(name));
  if (stranger !== undefined)
    throw new TypeError(`unimportant names ${JSON.stringify(stranger)}, which is not triggered`);
  if (revision !== undefined && revision !== 'pin' && revision !== 'latest')
    throw new TypeError("revision is 'pin' or 'latest'");
  if (revision !== undefined && source !== undefined)
    throw new TypeError('revision is of the build’s own source: give source a revision instead');
  const copy = toJson(properties, 'properties');
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) throw new TypeError('properties is no object');
  return {
    schedulers: names,
    unimportant: [...unimportant],
    waits: wait,
    isPinned: revision !== 'latest',
    ...(typeof gotRevision === 'string' && gotRevision !== '' && { gotRevision }),
    ...(source !== undefined && { source: triggerSource(source) }),
    ...(externalId !== undefined && { externalId: text(externalId, 'externalId') }),
    properties: copy as TriggerArgs['properties'],
  };
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new TypeError(`${what} is no text`);
  return value;
}

function triggerSource(source: TriggerSource): TriggerSource {
  const { repository, branch, revision, ...others } = source;
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw new TypeError(`source has no ${stranger}: it has repository, branch, revision`);
  const given = Object.entries({ repository, branch, revision }).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) text(value, `source.${name}`);
  return Object.fromEntries(given);
}

export function triggerResult({ waits, unimportant }: TriggerArgs, { requests }: TriggerAnswer): TriggerResult {
  if (!waits) return { ok: true, result: null, summary: `asked for ${requests.map(nameOf).join(', ')}`, requests };
  const counting = requests.filter(({ scheduler }) => !unimportant.includes(scheduler));
  let result: Result = 'skipped';
  for (const one of counting) result = worse(result, countsAs(one));
  const isOk = result === 'skipped' || result === 'success' || result === 'warnings';
  const shown = isOk ? requests : counting.filter((one) => countsAs(one) === result);
  return {
    ok: isOk,
    result: result === 'skipped' ? 'success' : result,
    summary: shown.map((one) => `${nameOf(one)}: ${one.result ?? 'not ended'}`).join(', '),
    requests,
  };
}

/** One that was retried too often is no reason to retry the build that waited for it. */
function countsAs({ result }: TriggeredRequest): Result {
  return result === null || result === 'retry' ? 'exception' : result;
}

function nameOf({ id, project, builder, build }: TriggeredRequest): string {
  return `${build === null ? `request ${id}` : `build ${build}`} of ${project}/${builder}`;
}
