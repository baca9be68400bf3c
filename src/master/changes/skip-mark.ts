/** The first of the marks that one of the texts holds, in any case: whoever wrote that wants nothing built. */
export function skipMark(marks: readonly string[], texts: readonly string[]): string | undefined {
  return marks.find((mark) => texts.some((text) => text.toLowerCase().includes(mark.toLowerCase())));
}
