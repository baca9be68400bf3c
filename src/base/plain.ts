/**
 * What a terminal acts on: the control characters C0 and C1 (in UTF-8 terminals, too), and the marks by which a line can be made
 * to read as another: bidirectional ones (CVE-2021-42574) and separators of lines.
 */
// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const ACTING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text from outside (names, reasons, messages) made safe for a terminal, on one line: what acts there is shown, not sent. */
export function plain(text: string): string {
  return text.replaceAll(ACTING, shownChar);
}

/** The same for a text of several lines: new lines and tabs stay, and what `JSON.stringify` made stays JSON. */
export function plainLines(text: string): string {
  return text.replaceAll(ACTING, (char) => {
    if (char === '\n' || char === '\t') return char;
    // JSON has escaped the others itself.
    return char < '\u007f' ? shownChar(char) : `\\u${hex(char, 4)}`;
  });
}

/** `\x1b`, `\u202e`: what stands for a character that is not sent. */
export function shownChar(char: string): string {
  return char.charCodeAt(0) < 0x100 ? `\\x${hex(char, 2)}` : `\\u${hex(char, 4)}`;
}

function hex(char: string, digits: number): string {
  return char.charCodeAt(0).toString(16).padStart(digits, '0');
}
