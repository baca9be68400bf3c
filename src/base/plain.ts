/**
 * Text from outside (names, reasons, messages) made safe for a terminal: control characters are shown, not sent; so are
 * bidirectional overrides, with which a line can be made to read as another (CVE-2021-42574).
 */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
