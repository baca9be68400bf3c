import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigShape, ProjectShape, SourceAccess } from '../../config/shape.ts';

/** What is polled once, however many projects have it as their source. */
export interface Repository {
  readonly url: string;
  readonly projects: readonly ProjectShape[];
  readonly everyMs: number;
  readonly mirrorLimitBytes: number;
  readonly access: SourceAccess;
}

const NAME_CHARACTERS = 32;

/** The repositories that a configuration wants to be polled, by URL. */
export function repositoriesOf({ projects }: Pick<ConfigShape, 'projects'>): ReadonlyMap<string, Repository> {
  const found = new Map<string, Repository>();
  for (const project of projects) {
    const { url, poll } = project.source ?? {};
    if (url === undefined || !poll) continue;
    const other = found.get(url);
    found.set(url, {
      url,
      projects: [...(other?.projects ?? []), project],
      everyMs: Math.min(poll.everyMs, other?.everyMs ?? Infinity),
      mirrorLimitBytes: Math.max(poll.mirrorLimitBytes, other?.mirrorLimitBytes ?? 0),
      access: poll.access,
    });
  }
  return found;
}

/** It is to be looked at anew. */
export function isChanged(before: Repository | undefined, after: Repository): boolean {
  const polls = ({ projects, ...rest }: Repository): unknown => [
    rest,
    projects.map(({ name, source }) => [name, source]),
  ];
  return !before || !isDeepStrictEqual(polls(before), polls(after));
}

/** Of its mirror, among the mirrors: no URL is as short, and some have in them what is no name of a file. */
export function mirrorName(url: string): string {
  return `${createHash('sha256').update(url).digest('hex').slice(0, NAME_CHARACTERS)}.git`;
}
