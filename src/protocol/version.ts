import type { Fields } from './messages.ts';

/** The versions of the protocol that this program speaks. A master speaks its own and the one before. */
export const PROTOCOLS: readonly number[] = [1];

export type VersionChoice =
  { readonly protocol: number } | { readonly goodbye: Fields<'goodbye'> & { readonly code: 'version' } };

/** The highest version that both speak, or what to say in the goodbye. */
export function chooseVersion(offered: readonly number[], spoken: readonly number[] = PROTOCOLS): VersionChoice {
  const common = offered.filter((version) => spoken.includes(version));
  if (common.length > 0) return { protocol: Math.max(...common) };
  const message = `no common version of the protocol: you speak ${told(offered)}, I speak ${told(spoken)}; upgrade the older side`;
  return { goodbye: { code: 'version', message, spoken: [...spoken] } };
}

function told(versions: readonly number[]): string {
  return versions.length > 0 ? versions.join(', ') : 'none';
}
