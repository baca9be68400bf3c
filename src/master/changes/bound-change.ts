import type { Change } from '../../model/change.ts';
import { isAnybodys } from '../../model/forge.ts';
import { isWebLink, WEB_LINK_RULE } from '../../model/web-link.ts';
import { OperatorError } from '../operator.ts';
import type { ToldChange } from '../views/change.ts';
import { shown } from '../operator-names.ts';
import { checkBranch, checkExternalId, checkProperties, checkRevision } from '../operator-wish.ts';

const SIGNATURE_MAX = 300;
const COMMENTS_MAX = 16_384;
const FILES_MAX = 1_000;
const FILE_MAX = 4_096;
const FILES_CHARACTERS_MAX = 128 * 1024;
const CATEGORY_MAX = 100;
const CODEBASE_MAX = 100;
const KEY_MAX = 200;
const BRANCHES = 'refs/heads/';

export interface BoundChange extends Pick<
  Change,
  | 'branch'
  | 'revision'
  | 'author'
  | 'committer'
  | 'comments'
  | 'files'
  | 'filesLeftOut'
  | 'category'
  | 'revlink'
  | 'codebase'
  | 'externalId'
  | 'properties'
  | 'kind'
  | 'target'
  | 'isUntrusted'
  | 'skipped'
> {
  /** Names the change in its project: what comes again under it is no new change. */
  readonly key: string;
}

/**
 * A change within its limits. What is only read is cut, and says so, because a long comment is no reason to build nothing; what
 * decides what is built is refused when it is none, with an `OperatorError`.
 */
export function boundChange(wish: ToldChange): BoundChange {
  const {
    revision,
    comments = '',
    category,
    revlink,
    codebase,
    externalId,
    properties = {},
    key,
    kind,
    target,
    skipped,
  } = wish;
  const branch = wish.branch.startsWith(BRANCHES) ? wish.branch.slice(BRANCHES.length) : wish.branch;
  checkBranch(branch);
  // Whoever says of what kind it is knows whose it is, too.
  const isUntrusted = wish.isUntrusted ?? (kind === undefined && isAnybodys(branch));
  if (target !== undefined) checkBranch(target);
  checkRevision(revision);
  checkProperties(properties);
  checkLength('category', category, CATEGORY_MAX);
  checkLength('codebase', codebase, CODEBASE_MAX);
  checkLength('key', key, KEY_MAX);
  checkExternalId(externalId);
  if (revlink !== undefined && !isWebLink(revlink)) {
    throw new OperatorError('usage', `the revlink "${shown(revlink)}" is not ${WEB_LINK_RULE}`);
  }
  const files = boundFiles(wish.files ?? []);
  return {
    branch,
    revision,
    ...signed('author', wish.author),
    ...signed('committer', wish.committer),
    comments: cut(comments.trimEnd(), COMMENTS_MAX),
    files,
    filesLeftOut: (wish.files ?? []).length - files.length + (wish.filesLeftOut ?? 0),
    ...(category !== undefined && { category }),
    ...(revlink !== undefined && { revlink }),
    ...(codebase !== undefined && { codebase }),
    ...(externalId !== undefined && { externalId }),
    properties,
    ...(kind !== undefined && { kind }),
    ...(target !== undefined && { target }),
    ...(isUntrusted && { isUntrusted }),
    ...(skipped !== undefined && { skipped }),
    // Neither can look like the other.
    key: key === undefined ? `revision ${branch} ${revision}` : `key ${key}`,
  };
}

function checkLength(what: string, text: string | undefined, max: number): void {
  if (text === undefined || (text !== '' && text.length <= max)) return;
  throw new OperatorError('usage', `the ${what} "${shown(text)}" has not 1 to ${max} characters`);
}

function signed(what: 'author' | 'committer', name = ''): Pick<Change, 'author' | 'committer'> {
  return name.trim() === '' ? {} : { [what]: cut(name.trim(), SIGNATURE_MAX) };
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}… (cut, it had ${text.length} characters)`;
}

function boundFiles(files: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let characters = 0;
  for (const file of files) {
    if (kept.length >= FILES_MAX) break;
    if (file.length > FILE_MAX || characters + file.length > FILES_CHARACTERS_MAX) continue;
    kept.push(file);
    characters += file.length;
  }
  return kept;
}
