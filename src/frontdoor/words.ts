/** A command line that cannot be taken apart. */
export class WordsError extends Error {
  override readonly name = 'WordsError';
}

/**
 * Takes a command line apart as a POSIX shell's quoting rules do (XCU 2.2): single quotes keep all, double quotes all but
 * backslash and quote, a backslash keeps the next character. Nothing is expanded.
 */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (quote === "'") {
      if (char === "'") quote = undefined;
      else word = (word ?? '') + char;
    } else if (char === '\\') {
      if (i + 1 >= line.length)
        throw new WordsError('the line ends in a backslash: put something after it, or leave it out');
      const next = line.charAt(++i);
      word = (word ?? '') + (quote && next !== '"' && next !== '\\' ? `\\${next}` : next);
    } else if (quote) {
      if (char === '"') quote = undefined;
      else word = (word ?? '') + char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote) throw new WordsError(`a ${quote} is opened and never closed`);
  if (word !== undefined) words.push(word);
  return words;
}
