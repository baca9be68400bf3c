import { isName, NAME_RULE } from '../../model/names.ts';
import type { LinkArgs, LogArgs } from '../calls.ts';

/** A text that a step writes is held in memory whole; what is longer is printed by a command. */
export const LOG_TEXT_BYTES = 4 * 1024 * 1024;
const LINK_NAME = /^\S(?:.{0,98}\S)?$/u;
const URL_CHARACTERS = 2_000;

/** Checks what `ctx.log` was given. */
export function logArgs(name: string, text: string): LogArgs {
  if (!isName(name)) throw new TypeError(`${JSON.stringify(name)} is no name for a log: use ${NAME_RULE}`);
  if (typeof text !== 'string') throw new TypeError(`the text of log ${name} is ${typeof text}; give a text`);
  if (Buffer.byteLength(text) > LOG_TEXT_BYTES) {
    throw new RangeError(`the text of log ${name} is longer than ${LOG_TEXT_BYTES} bytes; print it by a command`);
  }
  return { log: name, text };
}

/** Checks what `ctx.link` was given. */
export function linkArgs(name: string, url: string): LinkArgs {
  if (typeof name !== 'string' || !LINK_NAME.test(name)) {
    throw new TypeError(`${JSON.stringify(name)} is no name for a link: use 1 to 100 characters of one line`);
  }
  const what = `the URL of link ${JSON.stringify(name)}`;
  if (typeof url !== 'string' || !URL.canParse(url)) {
    throw new TypeError(`${what} is ${JSON.stringify(url)}; write it whole: https://…`);
  }
  const { protocol, username, password, href } = new URL(url);
  // Others would run as a script of the page that shows them, or open a file of whoever reads it.
  if (protocol !== 'https:' && protocol !== 'http:') throw new TypeError(`${what} is not of http or https`);
  if (username !== '' || password !== '') throw new TypeError(`${what} has a user or password in it; all would see it`);
  if (href.length > URL_CHARACTERS) throw new RangeError(`${what} is longer than ${URL_CHARACTERS} characters`);
  return { name, url: href };
}
