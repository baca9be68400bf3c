import { createHash } from 'node:crypto';
import { parseDuration } from '../duration.ts';
import type { Duration, StepContext } from '../step-context.ts';
import { accessMistake, accessNames, accessWords } from './checkout-access.ts';
import type { CheckoutAccess } from './checkout-access.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

export interface CheckoutOptions extends StepOptions, CheckoutAccess {
  /** Another name for the step than `checkout`. */
  readonly name?: string;
  /** Another repository than the project's. */
  readonly url?: Wanted<string | undefined>;
  readonly branch?: Wanted<string | undefined>;
  /** A folder below the build's; default: the build's folder itself. */
  readonly path?: Wanted<string | undefined>;
  /** full: remove what is not in the repository (default). incremental: keep what the last build made. */
  readonly mode?: 'full' | 'incremental';
  /**
   * How mode full does it. fresh: remove all that git does not know (default). clean: the same, but keep what git ignores.
   * clobber: begin with an empty folder. copy: keep a clone beside `path`, in `PATH.pristine`, and copy it.
   */
  readonly method?: 'fresh' | 'clean' | 'clobber' | 'copy';
  /** The tip of the branch, whatever revision the build was asked for. */
  readonly alwaysUseLatest?: boolean;
  /** Fetch no history beyond so many commits; true: 1. */
  readonly shallow?: boolean | number;
  /** Fetch what `git rev-list --filter` says alone, the rest when it is needed: `blob:none`. */
  readonly filter?: string;
  /** Fetch all tags, too. */
  readonly tags?: boolean;
  /** Check submodules out, and those in them. */
  readonly submodules?: boolean;
  /** A folder on the worker with a repository whose objects are borrowed, if it is there: `DIR/.git`, or a bare one. */
  readonly reference?: Wanted<string | undefined>;
  /** What the repository is called in the work tree; default `origin`. */
  readonly origin?: string;
  /** Settings for git, as `git -c NAME=VALUE`. */
  readonly config?: Readonly<Record<string, Wanted<string>>>;
  /** Set the property `commit-description` to what `git describe` says, if it finds a tag; with its options, without `--`. Fetches all tags. */
  readonly getDescription?: boolean | Readonly<Record<string, boolean | number | string>>;
  /** How often, and after how long, it is tried again when the server could not be reached; default: after 2 and after 10 seconds. */
  readonly retry?: { readonly times: number; readonly delay: Duration };
  /** When all tries failed, empty the folder and try once more. */
  readonly clobberOnFailure?: boolean;
  /** Share what is fetched with other builds of the worker; default true. Shallow and filtered ones share nothing. */
  readonly cache?: boolean;
  /** Ends a try after so long without output; default `20m`. */
  readonly timeout?: Duration | null;
}

/** What is checked out. */
export interface Target {
  readonly url: string;
  readonly branch: string;
  readonly revision: string;
}

/** Seconds to wait before each try. */
const WAITS = [0, 2, 10];
const MOST_RETRIES = 100;
const ORIGIN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const CONFIG_NAME = /^[A-Za-z][A-Za-z0-9-]*\.(?:[^\n=]+\.)?[A-Za-z][A-Za-z0-9-]*$/;
const DESCRIBE_OPTION = /^[a-z][a-z-]*$/;
const FILTER = /^[a-z][A-Za-z0-9:=+_/.-]*$/;
const MODES: readonly unknown[] = [undefined, 'full', 'incremental'];
const METHODS: readonly unknown[] = [undefined, 'fresh', 'clean', 'clobber', 'copy'];
const HASH_DIGITS = 32;

/** What is wrong with them, as far as it shows before a build. */
export function checkoutMistake(options: CheckoutOptions): string | undefined {
  const { mode, method, path, shallow, filter, origin, config, getDescription, retry } = options;
  if (!MODES.includes(mode)) return `mode is ${JSON.stringify(mode)}; write 'full' or 'incremental'`;
  if (!METHODS.includes(method)) {
    return `method is ${JSON.stringify(method)}; write 'fresh', 'clean', 'clobber' or 'copy'`;
  }
  if (mode === 'incremental' && method !== undefined) {
    return `mode 'incremental' keeps what is there, so it has no method; leave out method '${method}', or write mode 'full'`;
  }
  if (method === 'copy' && typeof path !== 'function' && !placeOf(path)) {
    return "method 'copy' keeps a clone beside the folder, so it needs one below the build's; write a path";
  }
  if (shallow !== undefined && typeof shallow !== 'boolean' && !(Number.isSafeInteger(shallow) && shallow > 0)) {
    return 'shallow is no number of commits; write true, or 1 and more';
  }
  if (filter !== undefined && !(typeof filter === 'string' && FILTER.test(filter))) {
    return `filter is ${JSON.stringify(filter)}; write one of git, like 'blob:none'`;
  }
  if (shallow !== undefined && shallow !== false && getDescription) {
    return 'getDescription needs the history that shallow leaves out; leave out one of them';
  }
  if (origin !== undefined && !ORIGIN.test(origin)) {
    return `origin is ${JSON.stringify(origin)}; use letters, digits, "_", "." and "-"`;
  }
  const badName = Object.keys(config ?? {}).find((name) => !CONFIG_NAME.test(name));
  if (badName !== undefined) return `config: ${JSON.stringify(badName)} is no setting of git; write SECTION.NAME`;
  if (typeof getDescription === 'object') {
    const bad = Object.keys(getDescription).find((name) => !DESCRIBE_OPTION.test(name));
    if (bad !== undefined)
      return `getDescription: ${JSON.stringify(bad)} is no option of git describe; write it as 'first-parent'`;
  }
  return accessMistake(options) ?? (retry === undefined ? undefined : retryMistake(retry));
}

/** A path without slashes at its end, and the name that it ends with; undefined when it has none of its own. */
export function placeOf(path = ''): { readonly path: string; readonly name: string } | undefined {
  const bare = path.replace(/\/+$/, '');
  const name = bare.slice(bare.lastIndexOf('/') + 1);
  return name === '' || name === '.' || name === '..' ? undefined : { path: bare, name };
}

function retryMistake({ times, delay }: NonNullable<CheckoutOptions['retry']>): string | undefined {
  if (!Number.isSafeInteger(times) || times < 0 || times > MOST_RETRIES) {
    return `retry: times is ${String(times)}; write a number from 0 to ${MOST_RETRIES}`;
  }
  try {
    parseDuration(delay);
    return undefined;
  } catch (error) {
    return `retry: delay: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Seconds to wait before each try. */
export function waitsOf({ retry }: CheckoutOptions): readonly number[] {
  if (!retry) return WAITS;
  const seconds = Math.ceil(parseDuration(retry.delay) / 1_000);
  return [0, ...Array.from({ length: retry.times }, () => seconds)];
}

/** The words of the script but for `wait`. `copy`: the folder that becomes a copy. */
export async function scriptWords(
  ctx: StepContext,
  { url, branch, revision }: Target,
  options: CheckoutOptions,
  copy: string | undefined,
): Promise<readonly string[]> {
  const { mode, method = mode === 'incremental' ? '' : 'fresh', filter, shallow, tags, submodules, origin } = options;
  const reference = await resolve(ctx, options.reference);
  const depth = shallow === true ? 1 : shallow;
  const config: string[] = [];
  for (const [name, value] of Object.entries(options.config ?? {})) {
    config.push(`config=${name}=${await resolve(ctx, value)}`);
  }
  const isShared = options.cache !== false && !depth && filter === undefined;
  return [
    `url=${url}`,
    `branch=${branch}`,
    `revision=${revision}`,
    ...(method === '' || method === 'copy' ? [] : [`clean=${method}`]),
    ...(copy === undefined ? [] : [`copy=${copy}`]),
    ...(depth ? [`depth=${depth}`] : []),
    ...(filter === undefined ? [] : [`filter=${filter}`]),
    ...(tags || options.getDescription ? ['tags=yes'] : []),
    ...(submodules ? ['submodules=yes'] : []),
    ...(reference === undefined ? [] : [`reference=${reference}`]),
    ...(origin === undefined ? [] : [`origin=${origin}`]),
    ...config,
    ...accessWords(url, options),
    ...describeWords(options.getDescription),
    // What a fork has made is for its own builds alone.
    ...(isShared
      ? [`hash=${hashOf([url, ...accessNames(options)])}`, `cache=${ctx.build.isUntrusted ? 'read' : 'fill'}`]
      : []),
  ];
}

function describeWords(wanted: CheckoutOptions['getDescription']): readonly string[] {
  if (!wanted) return [];
  if (wanted === true) return ['describe='];
  const options = Object.entries(wanted).filter(([, value]) => value !== false);
  return ['describe=', ...options.map(([name, value]) => `describe=--${name}${value === true ? '' : `=${value}`}`)];
}

function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, HASH_DIGITS);
}
