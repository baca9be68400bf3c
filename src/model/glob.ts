/** One name of a path: characters to match in turn. */
type Token = { readonly is: string } | { readonly oneOf: string; readonly isNot: boolean } | 'any' | 'some';

/** `**`: any number of folders, none too. */
const ANY_FOLDERS = '**';
type Part = typeof ANY_FOLDERS | readonly Token[];

/** A pattern without its braces: the names of a path, one after another. */
export type GlobPath = readonly Part[];

/** What `{a,b}` of one pattern may become in all. */
const MAX_PATHS = 64;

/**
 * Reads a pattern: `*` is anything within a name, `?` one character, `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, `**` any folders.
 * As in a shell a name that begins with a dot is meant only by a pattern that does. Throws a RangeError or TypeError that says
 * what is wrong with it.
 */
export function parseGlob(pattern: string): readonly GlobPath[] {
  return withoutBraces(pattern).map((path) => {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    if (names.length === 0) throw new TypeError(`the pattern "${pattern}" means no file`);
    if (path.startsWith('/') || names.includes('..')) {
      throw new TypeError(`the pattern "${pattern}" leaves the folder: it is relative, without ".."`);
    }
    return names.map((name) => (name === ANY_FOLDERS ? ANY_FOLDERS : tokensOf(name)));
  });
}

/** How far a path has matched: of each pattern the parts that may come next, by their index. */
export type GlobState = readonly ReadonlySet<number>[];

export function globStart(paths: readonly GlobPath[]): GlobState {
  return paths.map((path) => closed(path, [0]));
}

/** The state one name further. */
export function globStep(paths: readonly GlobPath[], state: GlobState, name: string): GlobState {
  return paths.map((path, nth) => {
    const next: number[] = [];
    for (const at of state[nth] ?? []) {
      const part = path[at];
      if (part === undefined) continue;
      if (part === ANY_FOLDERS) {
        if (!name.startsWith('.')) next.push(at);
      } else if (matchesName(part, name)) next.push(at + 1);
    }
    return closed(path, next);
  });
}

/** What has come so far is a whole match. */
export function isMatch(paths: readonly GlobPath[], state: GlobState): boolean {
  return paths.some((path, nth) => state[nth]?.has(path.length));
}

/** Something below may match. */
export function mayGoOn(paths: readonly GlobPath[], state: GlobState): boolean {
  return paths.some((path, nth) => [...(state[nth] ?? [])].some((at) => at < path.length));
}

function closed(path: GlobPath, indexes: readonly number[]): ReadonlySet<number> {
  const all = new Set<number>();
  for (let at of indexes) {
    all.add(at);
    while (path[at] === ANY_FOLDERS) all.add(++at);
  }
  return all;
}

/** Without going back more than to the last `*`, so in time that grows with the product of both lengths at most. */
function matchesName(tokens: readonly Token[], name: string): boolean {
  const first = tokens[0];
  const isDotMeant = typeof first === 'object' && 'is' in first && first.is === '.';
  if (name.startsWith('.') && !isDotMeant) return false;
  const chars = Array.from(name);
  let token = 0;
  let char = 0;
  let lastSome: { readonly token: number; char: number } | undefined;
  while (char < chars.length) {
    const wanted = tokens[token];
    if (wanted === 'some') {
      lastSome = { token, char };
      token += 1;
    } else if (wanted !== undefined && matchesChar(wanted, chars[char] ?? '')) {
      token += 1;
      char += 1;
    } else if (lastSome) {
      lastSome.char += 1;
      char = lastSome.char;
      token = lastSome.token + 1;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === 'some');
}

function matchesChar(token: Exclude<Token, 'some'>, char: string): boolean {
  if (token === 'any') return true;
  return 'is' in token ? token.is === char : isOneOf(token.oneOf, char) !== token.isNot;
}

/** `a-z0` */
function isOneOf(set: string, char: string): boolean {
  const chars = Array.from(set);
  for (let at = 0; at < chars.length; at += 1) {
    const from = chars[at] ?? '';
    const to = chars[at + 1] === '-' ? chars[at + 2] : undefined;
    if (to === undefined) {
      if (from === char) return true;
    } else {
      if (from <= char && char <= to) return true;
      at += 2;
    }
  }
  return false;
}

function tokensOf(name: string): readonly Token[] {
  const tokens: Token[] = [];
  const chars = Array.from(name);
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    if (char === '*') {
      if (tokens.at(-1) !== 'some') tokens.push('some');
    } else if (char === '?') tokens.push('any');
    else if (char === '[') {
      const isNot = chars[at + 1] === '!' || chars[at + 1] === '^';
      const from = at + (isNot ? 2 : 1);
      const end = chars.indexOf(']', from + 1);
      if (end < 0) throw new TypeError(`the pattern "${name}" has a "[" without its "]"`);
      tokens.push({ oneOf: chars.slice(from, end).join(''), isNot });
      at = end;
    } else if (char === '\\' && at + 1 < chars.length) {
      at += 1;
      tokens.push({ is: chars[at] ?? '' });
    } else tokens.push({ is: char });
  }
  return tokens;
}

function withoutBraces(pattern: string): readonly string[] {
  const done: string[] = [];
  const waiting = [pattern];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const found = innermost(one);
    if (!found) done.push(one);
    else for (const choice of found.choices.toReversed()) waiting.push(found.before + choice + found.after);
    if (done.length + waiting.length > MAX_PATHS) {
      throw new RangeError(`the pattern "${pattern}" stands for more than ${MAX_PATHS} patterns by its braces`);
    }
  }
  return done;
}

/** Of those that no backslash makes plain characters. */
const BRACES = /(?<!\\)\{((?:[^{}\\]|\\.)*)\}/s;

/** The first pair of braces that has none within. */
function innermost(
  pattern: string,
): { readonly before: string; readonly choices: readonly string[]; readonly after: string } | undefined {
  const found = BRACES.exec(pattern);
  if (!found) return undefined;
  const [whole, choices = ''] = found;
  const after = pattern.slice(found.index + whole.length);
  return { before: pattern.slice(0, found.index), choices: choices.split(','), after };
}
