import type { FetchOptions, KeepOptions } from '../step-files.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

export interface ArtifactOptions extends Pick<KeepOptions, 'maxBytes'>, StepOptions {
  /** Of the artifact of a single file; of several, what stands before their paths, with a slash. Default: the path alone. */
  readonly as?: Wanted<string>;
}

const PATTERN = /[*?[{]/;

/** Keeps a file of the worker, or all that a pattern means, as artifacts of the build. */
export function artifact(name: string, pathOrPattern: Wanted<string>, options: ArtifactOptions = {}): StepConfig {
  return builtIn(name, 'artifact', { pathOrPattern }, options, ({ as, ...own }) => async (ctx) => {
    const wanted = await resolve(ctx, pathOrPattern);
    const given = await resolve(ctx, as);
    if (!PATTERN.test(wanted)) {
      const kept = await ctx.keep(wanted, { ...own, ...(given !== undefined && { name: given }) });
      return { result: 'success', summary: kept.name };
    }
    const files = await ctx.glob(wanted);
    if (files.length === 0) return { result: 'failure', summary: `"${wanted}" means no file` };
    for (const file of files) await ctx.keep(file, { ...own, name: given === undefined ? file : `${given}/${file}` });
    return { result: 'success', summary: files.length === 1 ? '1 artifact' : `${files.length} artifacts` };
  });
}

/** Copies an artifact of another build to the worker; its summary says of which. */
export function fetchArtifact(
  name: string,
  artifactName: Wanted<string>,
  path: Wanted<string>,
  options: FetchOptions & StepOptions = {},
): StepConfig {
  return builtIn(name, 'fetchArtifact', { artifactName, path }, options, (own) => async (ctx) => {
    const wanted = await resolve(ctx, artifactName);
    const found = await ctx.fetch(wanted, await resolve(ctx, path), own);
    return { result: 'success', summary: `${found.name} of ${found.project}/${found.builder}#${found.number}` };
  });
}
