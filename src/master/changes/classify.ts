import { errorText } from '../../base/errors.ts';
import type { Change } from '../../model/change.ts';
import type { ChangeFilter, Importance, TextRule } from '../../model/change-filter.ts';
import type { Json } from '../../model/json.ts';
import { meansOneOf } from './bounded-match.ts';

export type NewChange = Omit<Change, 'id'>;

export interface ClassifyTools {
  /** Asks a function of the configuration that the change goes by; never rejects. */
  readonly ask: (
    place: string,
    args: readonly Json[],
    limitMs: number,
  ) => Promise<{ readonly ok: Json } | { readonly error: string }>;
  /** A filter could not tell: the change counts as important, so that nothing is left unbuilt for it; to be told and kept. */
  readonly onFailed: (problem: string) => void;
}

export interface ChangeScheduler {
  readonly name: string;
  readonly filter: ChangeFilter;
}

/** Of a function over one change. */
const FUNCTION_LIMIT_MS = 10_000;
const TAGS = 'refs/tags/';

/** What a scheduler makes of a change of its project. Never rejects. */
export async function classify(
  { name, filter }: ChangeScheduler,
  change: NewChange,
  tools: ClassifyTools,
): Promise<Importance> {
  const holds = (what: string, tell: () => boolean): boolean => {
    try {
      return tell();
    } catch (error) {
      tools.onFailed(`${what} of scheduler ${name}: ${errorText(error)}`);
      return true;
    }
  };
  const isAsked = async (what: string): Promise<boolean> => {
    const place = `project ${change.project}/scheduler ${name}/${what}`;
    const answer = await tools.ask(place, [factsOf(change)], FUNCTION_LIMIT_MS);
    if ('ok' in answer && typeof answer.ok === 'boolean') return answer.ok;
    const why = 'ok' in answer ? `it answered ${JSON.stringify(answer.ok)}, not true or false` : answer.error;
    tools.onFailed(`${what} of scheduler ${name}: ${why}`);
    return true;
  };

  if (change.skipped !== undefined) return 'ignored';
  if (!holds('branch', () => isBranchWanted(filter, change))) return 'ignored';
  if (!holds('author', () => isText(filter.author, change.author))) return 'ignored';
  if (!holds('category', () => isText(filter.category, change.category))) return 'ignored';
  if (!holds('codebase', () => isText(filter.codebase, change.codebase))) return 'ignored';
  if (!holds('files', () => hasFile(filter.files, change))) return 'ignored';
  if (filter.hasFilter && !(await isAsked('filter'))) return 'ignored';
  if (!holds('fileIsImportant', () => hasFile(filter.importantFiles, change))) return 'unimportant';
  if (filter.hasFileIsImportant && !(await isAsked('fileIsImportant'))) return 'unimportant';
  return 'important';
}

/** What is no branch is built only where it is asked for by name. */
function isBranchWanted({ branch, tags, pullRequests }: ChangeFilter, change: NewChange): boolean {
  const { branch: name, kind, target = '' } = change;
  if (kind === 'pull-request') return pullRequests === true && (branch === undefined || meansOneOf(branch, [target]));
  if (tags && name.startsWith(TAGS)) return meansOneOf(tags, [name.slice(TAGS.length)]);
  if (name.startsWith('refs/') && (branch?.any.length ?? 0) === 0) return false;
  return branch === undefined || meansOneOf(branch, [name]);
}

function isText(rule: TextRule | undefined, text: string | undefined): boolean {
  return rule === undefined || meansOneOf(rule, [text ?? '']);
}

/** When nobody knows all the files, it may be one of those that are not known. */
function hasFile(rule: TextRule | undefined, { files, filesLeftOut }: NewChange): boolean {
  return rule === undefined || filesLeftOut > 0 || files.length === 0 || meansOneOf(rule, files);
}

/** As functions of the configuration see it. */
function factsOf(change: NewChange): Json {
  return JSON.parse(JSON.stringify(change)) as Json;
}
