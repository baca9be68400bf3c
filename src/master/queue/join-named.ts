/** A reason stays a line, also for a builder of a hundred workers. */
const NAMED_AT_MOST = 5;

export function joinNamed(parts: readonly string[]): string {
  const named = parts.slice(0, NAMED_AT_MOST).join(', ');
  return parts.length > NAMED_AT_MOST ? `${named} and ${parts.length - NAMED_AT_MOST} more` : named;
}
