const LONGEST_LINK = 2_000;
export const WEB_LINK_RULE = `an address of http:// or https://, without a password, of at most ${LONGEST_LINK} characters of ASCII`;

/** Whether a text is the address of a page that may be shown as a link: `javascript:` and the like are none. */
export function isWebLink(text: string): boolean {
  if (text.length > LONGEST_LINK || !/^https?:\/\/[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}
