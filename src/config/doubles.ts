/** Names that occur more than once, also those that differ in case only: they become folders, and not every disk tells. */
export function doubles(items: readonly { readonly name: string }[]): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of items) {
    const folded = name.toLowerCase();
    if (seen.has(folded)) twice.add(name);
    seen.add(folded);
  }
  return [...twice];
}
