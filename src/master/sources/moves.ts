/** What became of a branch or tag of a repository since the last poll. */
export type Move =
  | { readonly kind: 'moved'; readonly ref: string; readonly from: string; readonly to: string }
  | { readonly kind: 'new'; readonly ref: string; readonly to: string }
  /** Nobody has polled it before: it is as if it had been there already. */
  | { readonly kind: 'found'; readonly ref: string; readonly to: string }
  | { readonly kind: 'gone'; readonly ref: string };

const ORDER: Readonly<Record<Move['kind'], number>> = { found: 0, moved: 1, new: 2, gone: 3 };
export const TAGS = 'refs/tags/';

/**
 * All that moved, in the order in which it is told: branches that went on before new ones, so that a new one has only what is
 * its own, then tags, then what is gone.
 */
export function movesOf(
  known: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
  wasWanted: (ref: string) => boolean,
): readonly Move[] {
  const moves: Move[] = [];
  for (const [ref, to] of wanted) {
    const from = known.get(ref);
    if (from === to) continue;
    if (from !== undefined) moves.push({ kind: 'moved', ref, from, to });
    else moves.push({ kind: wasWanted(ref) ? 'new' : 'found', ref, to });
  }
  for (const ref of known.keys()) if (!wanted.has(ref)) moves.push({ kind: 'gone', ref });
  const rank = ({ kind, ref }: Move): number => ORDER[kind] * 2 + (ref.startsWith(TAGS) ? 1 : 0);
  return moves.toSorted((one, other) => rank(one) - rank(other) || (one.ref < other.ref ? -1 : 1));
}
