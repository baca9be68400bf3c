/** An address as it may stand in a mail's head and on a command line of SMTP: ASCII, unquoted, without a name. */
const ADDRESS = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const MOST_OWNERS = 20;

export function isMailAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** The addresses in an owner as `mailto:ann@example.org,bob@example.org`; what is none is left out. */
export function addressesOf(owner: string | undefined): readonly string[] {
  if (owner === undefined || !/^mailto:/i.test(owner)) return [];
  const [list = ''] = owner.slice('mailto:'.length).split('?');
  return list.split(',').filter(isMailAddress).slice(0, MOST_OWNERS);
}
