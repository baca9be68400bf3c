import type { Change } from '../../model/change.ts';
import { isAnybodys } from '../../model/forge.ts';
import { OperatorError } from '../operator.ts';
import type { ToldChange } from '../views/change.ts';
import { shown } from '../operator-names.ts';
import { checkBranch, checkProperties, checkRevision } from '../operator-wish.ts';

const AUTHOR_MAX = 300;
const COMMENTS_MAX = 16_384;
const FILES_MAX = 1_000;
const FILE_MAX = 4_096;
const FILES_CHARACTERS_MAX = 128 * 1024;
const CATEGORY_MAX = 100;
const KEY_MAX = 200;
const BRANCHES = 'refs/heads/';

export interface BoundChange extends Pick<
  Change,
  | 'branch'
  | 'revision'
  | 'author'
  | 'comments'
  | 'files'
  | 'filesLeftOut'
  | 'category'
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
  const { revision, author, comments = '', category, properties = {}, key, kind, target, skipped } = wish;
  const branch = wish.branch.startsWith(BRANCHES) ? wish.branch.slice(BRANCHES.length) : wish.branch;
  checkBranch(branch);
  // Whoever says of what kind it is knows whose it is, too.
  const isUntrusted = wish.isUntrusted ?? (kind === undefined && isAnybodys(branch));
  if (target !== undefined) checkBranch(target);
  checkRevision(revision);
  checkProperties(properties);
  if (category !== undefined && (category === '' || category.length > CATEGORY_MAX)) {
    throw new OperatorError('usage', `the category "${shown(category)}" has not 1 to ${CATEGORY_MAX} characters`);
  }
  if (key !== undefined && (key === '' || key.length > KEY_MAX)) {
    throw new OperatorError('usage', `the key "${shown(key)}" has not 1 to ${KEY_MAX} characters`);
  }
  const files = boundFiles(wish.files ?? []);
  return {
    branch,
    revision,
    ...(author !== undefined && author.trim() !== '' && { author: cut(author.trim(), AUTHOR_MAX) }),
    comments: cut(comments.trimEnd(), COMMENTS_MAX),
    files,
    filesLeftOut: (wish.files ?? []).length - files.length + (wish.filesLeftOut ?? 0),
    ...(category !== undefined && { category }),
    properties,
    ...(kind !== undefined && { kind }),
    ...(target !== undefined && { target }),
    ...(isUntrusted && { isUntrusted }),
    ...(skipped !== undefined && { skipped }),
    // Neither can look like the other.
    key: key === undefined ? `revision ${branch} ${revision}` : `key ${key}`,
  };
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
