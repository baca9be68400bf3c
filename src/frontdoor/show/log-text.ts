import { shownChar } from '../../base/plain.ts';

/** Printable ASCII, new lines and tabs: most of every log, passed on as it is. */
const HARMLESS = /^[\t\n\x20-\x7e]*$/;
/** The characters of `plain.ts`, but for what may pass: new lines, tabs, a return before a new line, a sequence of colour. */
const ACTING =
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  /\u001b\[([0-9;:]{0,64})m|\r\n|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** An end of a piece that may be the begin of one of these. */
// oxlint-disable-next-line no-control-regex -- as above
const UNFINISHED = /(?:\u001b(?:\[[0-9;:]{0,64})?|\r)$/;
const ONE_COLOUR =
  '(?:0?(?:[0-47]|2[1-47]|3[0-79]|4[0-79]|9[0-7]|10[0-7])?|[34]8[;:]5[;:]\\d{1,3}|[34]8[;:]2(?:[;:]\\d{1,3}){3})';
/** The parameters of `ESC [ 01;31 m`: colour and weight, nothing that blinks or hides. */
const COLOUR = new RegExp(`^${ONE_COLOUR}(?:;${ONE_COLOUR})*$`);
const RESET = '\u001b[0m';

/**
 * A log made safe for a terminal as it streams by: new lines, tabs and colours pass, everything else that a terminal acts on is
 * shown, so that a log cannot clear the screen, name the window, answer in the reader's name or write over another line. Bytes
 * that are no UTF-8 become U+FFFD. Colours end with the log.
 */
export class LogText {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** The decoder may hold the begin of a character. */
  #isInCharacter = false;
  #unfinished = '';
  #isColoured = false;

  /** What may be shown now. Ends that are unfinished wait for the next piece. */
  add(bytes: Uint8Array): Uint8Array {
    const last = bytes.at(-1);
    if (last === undefined) return bytes;
    const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    if (this.#unfinished === '' && !this.#isInCharacter && HARMLESS.test(latin1)) return bytes;
    const text = this.#unfinished + this.#decoder.decode(bytes, { stream: true });
    this.#isInCharacter = last >= 0x80;
    this.#unfinished = UNFINISHED.exec(text)?.[0] ?? '';
    return Buffer.from(this.#show(text.slice(0, text.length - this.#unfinished.length)));
  }

  /** What still waits, and the end of colours. */
  end(): Uint8Array {
    const rest = this.#show(this.#unfinished + this.#decoder.decode());
    return Buffer.from(this.#isColoured ? rest + RESET : rest);
  }

  #show(text: string): string {
    return text.replaceAll(ACTING, (found: string, colour: string | undefined) => {
      if (found === '\r\n') return '\n';
      if (colour === undefined || !COLOUR.test(colour)) return shownChar(found) + found.slice(1);
      this.#isColoured = colour !== '' && colour !== '0';
      return found;
    });
  }
}
