/** A warning that is not counted: what is given must all fit. */
export interface Suppression {
  /** Fits from the begin of the file's name, below the folders that make entered; a warning without a file fits every one. */
  readonly file?: RegExp;
  readonly text?: RegExp;
  /** Lines, both counted in; a warning without a line does not fit. */
  readonly lines?: readonly [from: number, to: number];
}

/** A warning as it was found in a line of output. */
export interface Warning {
  readonly file?: string;
  readonly line?: number;
  readonly text: string;
}

/** `FILE : TEXT`, with `: FROM` or `: FROM-TO` behind it; FILE and TEXT are regular expressions. */
const LINE = /^\s*(.+?)\s*:\s*(.+?)\s*(?::\s*(\d+)(?:-(\d+))?\s*)?$/;
const IGNORED = /^\s*(?:#|$)/;

/** Reads a file of suppressions as Buildbot has them. Throws a SyntaxError that names the line. */
export function parseSuppressions(text: string): readonly Suppression[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (IGNORED.test(line)) return [];
    const [, file, what, from, to = from] = LINE.exec(line) ?? [];
    const place = `line ${index + 1} of the suppressions, ${JSON.stringify(line.slice(0, 100))}`;
    if (file === undefined || what === undefined) {
      throw new SyntaxError(`${place}, is no suppression: write FILE : TEXT, or FILE : TEXT : FROM-TO`);
    }
    try {
      return [
        {
          file: new RegExp(file),
          text: new RegExp(what),
          ...(from !== undefined && { lines: [Number(from), Number(to)] as const }),
        },
      ];
    } catch (error) {
      throw new SyntaxError(`${place}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  });
}

export function isSuppressed({ file, line, text }: Warning, suppressions: readonly Suppression[]): boolean {
  return suppressions.some((one) => {
    if (file !== undefined && one.file && !fitsFromBegin(one.file, file)) return false;
    if (one.text && !one.text.test(text)) return false;
    if (!one.lines) return true;
    const [from, to] = one.lines;
    return line !== undefined && from <= line && line <= to;
  });
}

function fitsFromBegin(pattern: RegExp, text: string): boolean {
  return new RegExp(`^(?:${pattern.source})`, pattern.flags).test(text);
}
