import type { RunResult, StepContext } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { applyPatch } from './apply-patch.ts';
import { accessEnv } from './checkout-access.ts';
import { placeOf, scriptWords, waitsOf } from './checkout-options.ts';
import type { CheckoutOptions, Target } from './checkout-options.ts';
import { CHECKOUT_SCRIPT, NO_SUBMODULE, NO_SUCH_REVISION, TRY_AGAIN } from './checkout-script.ts';
import { splitOptions } from './step.ts';
import { resolve } from './wanted.ts';

const TAIL_BYTES = 2_048;
/** Of the folder with the clone that is copied. */
const PRISTINE = '.pristine';

/**
 * Brings the build's folder to the build's revision with git, sets the property `got_revision`, and applies the build's patch. With
 * another `url` or `branch` than the build's own it does neither of these.
 */
export function checkout(options: CheckoutOptions = {}): StepConfig {
  const [common, own] = splitOptions(options);
  const { name = 'checkout' } = own;
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'checkout', ...own },
    run: async (ctx) => {
      const { source } = ctx.build;
      const [url, branch] = [await resolve(ctx, own.url), await resolve(ctx, own.branch)];
      const path = await resolve(ctx, own.path);
      const repository = url ?? source.repository;
      if (!repository) return ctx.fail('the project has no source: give it git(url), or checkout({ url })');
      // A repository of its own has nothing to do with the revision that is built.
      const isOwn = url !== undefined && url !== source.repository;
      // Of a fork somebody has approved this revision, and not what its branch has by now.
      const isApproved = ctx.build.isUntrusted && !isOwn && (branch === undefined || branch === source.branch);
      const isLatest = !isApproved && (isOwn || branch !== undefined || own.alwaysUseLatest === true);
      const target: Target = {
        url: repository,
        branch: branch ?? (isOwn ? undefined : source.branch) ?? '',
        revision: (isLatest ? undefined : source.revision) ?? '',
      };
      if ([target.url, target.branch, target.revision].some((word) => word.startsWith('-'))) {
        return ctx.fail('a URL, branch or revision begins with "-"');
      }
      const output = await bring(ctx, target, own, path);
      const revision = /got_revision ([0-9a-f]{40,64})\s*$/.exec(output)?.[1];
      if (revision === undefined) return ctx.fail('git did not tell the revision it checked out');
      // By it others build what this build did: neither another repository nor another branch beside the source's own is that.
      const isBeside = isOwn ? source.repository !== undefined : isOther(branch, source.branch);
      if (!isBeside) await ctx.setProperty('got_revision', revision);
      const description = /^commit-description (.+)$/m.exec(output)?.[1];
      if (description !== undefined) await ctx.setProperty('commit-description', description);
      return isOwn || branch !== undefined || !source.patch ? undefined : await applyPatch(ctx, source.patch, path);
    },
  };
}

/** The last of the script's output, once it has done it; otherwise the step fails. */
async function bring(
  ctx: StepContext,
  target: Target,
  options: CheckoutOptions,
  path: string | undefined,
): Promise<string> {
  const isCopy = options.method === 'copy' && options.mode !== 'incremental';
  const place = isCopy ? placeOf(path) : undefined;
  if (isCopy && !place) return ctx.fail("method 'copy' needs a path with a name below the build's folder");
  const folder = place ? `${place.path}${PRISTINE}` : path;
  const copy = place && `../${place.name}`;
  const words = await scriptWords(ctx, target, options, copy);
  if (folder !== undefined) await ctx.mkdir(folder);
  const attempt = (more: readonly string[]): Promise<RunResult> =>
    ctx.run(['/bin/sh', '-c', CHECKOUT_SCRIPT, 'checkout', ...words, ...more], {
      env: { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', ...accessEnv(options) },
      capture: TAIL_BYTES,
      ...(folder !== undefined && { cwd: folder }),
      ...(options.timeout !== undefined && { timeout: options.timeout }),
    });
  let summary = '';
  for (const [tries, wait] of waitsOf(options).entries()) {
    const tried = await attempt([`wait=${wait}`]);
    if (tried.ok) return tried.output;
    summary = summaryOf(tried, target, tries + 1);
    if (tried.exitCode === NO_SUCH_REVISION) return ctx.fail(summary);
    const mayGoBetter = tried.exitCode === TRY_AGAIN || tried.exitCode === NO_SUBMODULE || tried.timedOut !== null;
    if (!mayGoBetter) break;
  }
  if (options.clobberOnFailure !== true) return ctx.fail(summary);
  const last = await attempt(['clean=clobber', 'wait=0']);
  return last.ok ? last.output : ctx.fail(`${summary}; nor in an empty folder`);
}

function summaryOf({ exitCode, summary }: RunResult, { url }: Target, tries: number): string {
  if (exitCode === NO_SUCH_REVISION) return 'no such branch or revision: see the log';
  if (exitCode === NO_SUBMODULE) return `a submodule could not be checked out (${tries} tries): see the log`;
  return exitCode === TRY_AGAIN ? `could not fetch from ${url} (${tries} tries)` : summary;
}

function isOther(branch: string | undefined, own: string | undefined): boolean {
  return branch !== undefined && own !== undefined && branch !== own;
}
