import type { Duration } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { applyPatch } from './apply-patch.ts';
import { CHECKOUT_SCRIPT, NO_SUCH_REVISION, TRY_AGAIN } from './checkout-script.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';

export interface CheckoutOptions extends StepOptions {
  /** Another name for the step than `checkout`. */
  readonly name?: string;
  /** Another repository than the project's. */
  readonly url?: string;
  readonly branch?: string;
  /** A folder below the build's; default: the build's folder itself. */
  readonly path?: string;
  /** clean: remove all that is not in the repository (default). incremental: keep what the last build made. */
  readonly mode?: 'clean' | 'incremental';
  /** Ends a try after so long without output; default `20m`. */
  readonly timeout?: Duration | null;
}

/** Seconds to wait before each try. */
const WAITS = [0, 2, 10];
const TAIL_BYTES = 512;

/**
 * Brings the build's folder to the build's revision with git, sets the property `got_revision`, and applies the build's patch. With
 * another `url` or `branch` than the build's own it does neither of these.
 */
export function checkout(options: CheckoutOptions = {}): StepConfig {
  const [common, own] = splitOptions(options);
  const { name = 'checkout', url, branch, path, mode = 'clean', timeout } = own;
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'checkout', ...own },
    run: async (ctx) => {
      const { source } = ctx.build;
      const repository = url ?? source.repository;
      if (!repository) return ctx.fail('the project has no source: give it git(url), or checkout({ url })');
      // A repository of its own has nothing to do with the revision that is built.
      const isOwn = url !== undefined && url !== source.repository;
      const wanted = [
        repository,
        branch ?? (isOwn ? undefined : source.branch) ?? '',
        (isOwn || branch !== undefined ? undefined : source.revision) ?? '',
      ];
      if (wanted.some((word) => word.startsWith('-'))) return ctx.fail('a URL, branch or revision begins with "-"');
      if (path !== undefined) await ctx.mkdir(path);
      let summary = '';
      for (const [tries, wait] of WAITS.entries()) {
        const tried = await ctx.run(['/bin/sh', '-c', CHECKOUT_SCRIPT, 'checkout', ...wanted, mode, String(wait)], {
          env: { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
          capture: TAIL_BYTES,
          ...(path !== undefined && { cwd: path }),
          ...(timeout !== undefined && { timeout }),
        });
        if (tried.ok) {
          const revision = /got_revision ([0-9a-f]{40,64})\s*$/.exec(tried.output)?.[1];
          if (revision === undefined) return ctx.fail('git did not tell the revision it checked out');
          // By it others build what this build did: neither another repository nor another branch beside the source's own is that.
          const isBeside = isOwn ? source.repository !== undefined : isOther(branch, source.branch);
          if (!isBeside) await ctx.setProperty('got_revision', revision);
          return isOwn || branch !== undefined || !source.patch ? undefined : await applyPatch(ctx, source.patch, path);
        }
        summary = tried.summary;
        if (tried.exitCode === NO_SUCH_REVISION) return ctx.fail('no such branch or revision: see the log');
        if (tried.exitCode === TRY_AGAIN) summary = `could not fetch from ${repository} (${tries + 1} tries)`;
        else if (tried.timedOut === null) break;
      }
      return ctx.fail(summary);
    },
  };
}

function isOther(branch: string | undefined, own: string | undefined): boolean {
  return branch !== undefined && own !== undefined && branch !== own;
}
