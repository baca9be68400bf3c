import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { parseSize, showSize, SIZE_RULE } from '../base/size.ts';
import { patternsSchema, tagsSchema, textRule } from './change-filter-schema.ts';
import { isOf } from './duration-schema.ts';
import { fingerprintOf } from './fingerprint.ts';
import { DURATION_RULE, parseDuration, showDuration } from './duration.ts';
import { revlinkSchema, revlinkShape } from './revlink-schema.ts';
import { DEFAULT_SKIPS, skipSchema } from './skip-schema.ts';
import type { PollShape, SourceShape } from './shape.ts';
import type { BranchesFunction } from './values.ts';

const LONGEST_WORD = 4_096;
/** What nobody's server should be asked more often. */
const SHORTEST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 30 * 86_400_000;
const MIRROR_LIMIT_BYTES = 10 * 1024 ** 3;
/** An empty repository has some kilobytes. */
const SMALLEST_MIRROR_BYTES = 1024 ** 2;
const DEFAULT_USER = 'git';

const BRANCHES_RULE =
  "write true, a text, a glob like 'release/*' or '!old/**', a regular expression, a list of them, or a function";
const POLL_RULE = `write a time from ${showDuration(SHORTEST_POLL_MS)} to ${showDuration(LONGEST_POLL_MS)}, like '5m'`;
const MIRROR_RULE = `${SIZE_RULE}, at least ${showSize(SMALLEST_MIRROR_BYTES)}`;
const PASSWORD_IN_URL =
  "the URL has a password in it, which the log of each build would show: give git() a user and passwordFile for polling, and the workers' git a key or a credential helper for checkouts";
const HELPER_RULE =
  'git would start a program of the URL’s choice: write https://…, ssh://…, HOST:PATH or an absolute path';

const word = z.string().min(1).max(LONGEST_WORD);
/** What git would take for an option is refused. */
export const gitWord = word.refine((text) => !text.startsWith('-'), { error: 'it must not begin with "-"' });
/** A URL, `HOST:PATH` or a path that git may be given. */
export const repositorySchema = gitWord
  .refine((url) => passwordOf(url) === '', { error: PASSWORD_IN_URL })
  .refine((url) => !/^[A-Za-z0-9+.-]+::/.test(url), { error: HELPER_RULE });
const file = z.string({ error: 'name a file' }).min(1, { error: 'name a file' }).max(LONGEST_WORD);

const within =
  (parse: (text: string) => number, least: number, most = Infinity) =>
  (text: string): boolean =>
    isOf((one) => (parse(one) >= least && parse(one) <= most ? 1 : 0), text);

const options = {
  poll: z
    .string({ error: DURATION_RULE })
    .refine(within(parseDuration, SHORTEST_POLL_MS, LONGEST_POLL_MS), { error: POLL_RULE })
    .optional(),
  branches: z
    .union([z.literal(true), patternsSchema, z.custom<BranchesFunction>((value) => typeof value === 'function')], {
      error: BRANCHES_RULE,
    })
    .optional(),
  tags: tagsSchema.optional(),
  skip: skipSchema.optional(),
  pollAtStart: z.boolean().optional(),
  user: word.optional(),
  passwordFile: file.optional(),
  sshKeyFile: file.optional(),
  knownHostsFile: file.optional(),
  mirrorLimit: z
    .string({ error: MIRROR_RULE })
    .refine(within(parseSize, SMALLEST_MIRROR_BYTES), { error: MIRROR_RULE })
    .optional(),
} as const;
const OF_POLLING = Object.keys(options).filter((name) => name !== 'poll') as (keyof typeof options)[];

/** What `git()` makes. */
export function sourceSchema(isNone: string) {
  return z
    .strictObject(
      {
        kind: z.literal('git', { error: isNone }),
        url: repositorySchema,
        branch: gitWord.optional(),
        revlink: revlinkSchema.optional(),
        ...options,
      },
      { error: isNone },
    )
    .superRefine((source, context) => {
      const wrong = (name: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [name], message });
      if (source.poll === undefined) {
        const given = OF_POLLING.find((name) => source[name] !== undefined);
        if (given !== undefined) wrong(given, "it is for polling, and the source is not polled: add poll: '5m'");
      }
      const isSsh = isSshUrl(source.url);
      for (const name of ['sshKeyFile', 'knownHostsFile'] as const) {
        if (source[name] !== undefined && !isSsh) wrong(name, 'it is for ssh, and the URL is another one');
      }
      if (source.user !== undefined && source.passwordFile === undefined) wrong('user', 'give a passwordFile, too');
      if (source.passwordFile === undefined) return;
      if (!/^https?:\/\//.test(source.url)) wrong('passwordFile', 'it is for https, and the URL is another one');
      else if (!isPrivate(source.url)) wrong('passwordFile', 'a password is sent over https:// only');
    });
}
export type CheckedSource = z.infer<ReturnType<typeof sourceSchema>>;

/** `skip` is that of the project's hook. */
export function sourceShape(source: CheckedSource, skip = DEFAULT_SKIPS): SourceShape {
  const { url, branch, revlink, poll } = source;
  return {
    kind: 'git',
    url,
    ...(branch !== undefined && { branch }),
    ...(revlink !== undefined && { revlink: revlinkShape(revlink) }),
    ...(poll !== undefined && { poll: pollShape(source, poll, skip) }),
  };
}

function pollShape(source: CheckedSource, poll: string, ofHook = DEFAULT_SKIPS): PollShape {
  const {
    url,
    branches,
    tags,
    skip = ofHook,
    pollAtStart = false,
    user,
    passwordFile,
    sshKeyFile,
    knownHostsFile,
    mirrorLimit,
  } = source;
  return {
    everyMs: parseDuration(poll),
    ...(branches !== undefined && { branches: branchesShape(branches) }),
    ...(tags !== undefined && { tags: tags === true ? { any: [], none: [] } : textRule(tags) }),
    skip,
    isBuiltAtStart: pollAtStart,
    mirrorLimitBytes: mirrorLimit === undefined ? MIRROR_LIMIT_BYTES : parseSize(mirrorLimit),
    access: {
      ...(passwordFile !== undefined && {
        login: { user: user ?? (new URL(url).username || DEFAULT_USER), passwordFile },
      }),
      ...(sshKeyFile !== undefined && { sshKeyFile }),
      ...(knownHostsFile !== undefined && { knownHostsFile }),
    },
  };
}

function branchesShape(branches: NonNullable<CheckedSource['branches']>): NonNullable<PollShape['branches']> {
  if (typeof branches === 'function') return { function: fingerprintOf(branches) };
  return branches === true ? { any: [], none: [] } : textRule(branches);
}

/** One repository is polled once, however many projects it has: so all of them must come to it in the same way. */
export function pollMistakes(
  projects: readonly { readonly name: string; readonly source?: CheckedSource | undefined }[],
): string[] {
  const first = new Map<string, { readonly name: string; readonly access: unknown }>();
  return projects.flatMap(({ name, source }) => {
    if (source?.poll === undefined) return [];
    const { access } = pollShape(source, source.poll);
    const other = first.get(source.url);
    if (!other) first.set(source.url, { name, access });
    if (!other || isDeepStrictEqual(other.access, access)) return [];
    return [
      `project "${name}", source: project "${other.name}" polls ${source.url}, too, and is let in otherwise; give both the same user and files`,
    ];
  });
}

function passwordOf(url: string): string {
  // Also where the rest is no URL in the eyes of a browser.
  return /^[A-Za-z0-9+.-]+:\/\/[^/@]*:([^/]*)@/.exec(url)?.[1] ?? '';
}

/** `ssh://…`, or `HOST:PATH`, as git tells it from a path. */
function isSshUrl(url: string): boolean {
  return /^(git\+)?ssh:\/\//.test(url) || /^[^/:]+:(?!\/\/)/.test(url);
}

/** Nobody reads along: TLS, or this machine. */
function isPrivate(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]';
}
