/** A sequence that sets colour or weight; the one thing that a log may tell a terminal. */
// oxlint-disable-next-line no-control-regex -- that is what it is about
const COLOUR = /\u001b\[(?:[0-47]|[0-9;:]*)m/g;
// oxlint-disable-next-line no-control-regex -- as above
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** What of an output a terminal in UTF-8 would act on; undefined when it is nothing. Throws when it is no UTF-8. */
export function actsOnTerminal(output: Uint8Array, mayColour = false): string | undefined {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(output);
  return ACTING.exec(mayColour ? text.replaceAll(COLOUR, '') : text)?.[0];
}
