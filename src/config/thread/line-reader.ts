/** Of a longer line its observer gets pieces. */
export const LINE_CHARACTERS = 64 * 1024;
/** At the end of each piece but the last. */
export const LINE_MARK = ' [trunkline: the line goes on]';

/**
 * Makes lines of a command's output, whatever pieces it comes in: without their ends (LF or CR LF), bytes that are no UTF-8 as
 * U+FFFD. It holds no more than a piece and the begin of a line.
 */
export class LineReader {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #rest = '';

  *add(bytes: Uint8Array): Generator<string, void> {
    yield* this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** What is left is a line, too. */
  *end(): Generator<string, void> {
    yield* this.#take(this.#decoder.decode());
    const rest = this.#rest;
    this.#rest = '';
    if (rest !== '') yield* pieces(rest);
  }

  *#take(text: string): Generator<string, void> {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      const line = this.#rest + text.slice(from, at);
      this.#rest = '';
      from = at + 1;
      yield* pieces(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    this.#rest += text.slice(from);
    // One more may be the CR of its end.
    while (this.#rest.length > LINE_CHARACTERS + 1) {
      const end = pieceEnd(this.#rest);
      yield this.#rest.slice(0, end) + LINE_MARK;
      this.#rest = this.#rest.slice(end);
    }
  }
}

function* pieces(line: string): Generator<string, void> {
  let rest = line;
  while (rest.length > LINE_CHARACTERS) {
    const end = pieceEnd(rest);
    yield rest.slice(0, end) + LINE_MARK;
    rest = rest.slice(end);
  }
  yield rest;
}

/** Halves no character. */
function pieceEnd(line: string): number {
  const last = line.charCodeAt(LINE_CHARACTERS - 1);
  return last >= 0xd800 && last < 0xdc00 ? LINE_CHARACTERS - 1 : LINE_CHARACTERS;
}
