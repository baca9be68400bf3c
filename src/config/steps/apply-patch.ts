import { patchFile } from '../../model/source-stamp.ts';
import type { Patch } from '../../model/source-stamp.ts';
import type { StepContext } from '../step-context.ts';
import { PATCH_NAME } from './checkout-script.ts';

/** `sh -c SCRIPT patch FILE`: says what the patch changes, then applies all of it or nothing, index and work tree. */
const APPLY_SCRIPT = `
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY
git apply --stat --summary "$1" || exit 1
exec git apply --index --whitespace=nowarn "$1"
`;
const LOG = 'patch';

/**
 * Puts a patch on top of what was checked out, by git's own rules: not a line off, nothing outside of the work tree. One that
 * does not apply fails the step; git says why in the log `patch`.
 */
export async function applyPatch(ctx: StepContext, patch: Patch, path: string | undefined): Promise<void> {
  const file = `.git/${PATCH_NAME}`;
  await ctx.download(patchFile(patch), path === undefined ? file : `${path}/${file}`, { sha256: patch.sha256 });
  const applied = await ctx.run(['/bin/sh', '-c', APPLY_SCRIPT, 'patch', file], {
    env: { LC_ALL: 'C' },
    log: LOG,
    ...(path !== undefined && { cwd: path }),
  });
  if (!applied.ok) ctx.fail(`the patch does not apply (${applied.summary}): see the log "${LOG}"`);
}
