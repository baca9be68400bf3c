import { mayActAs } from '../model/principal.ts';
import type { Asker } from '../master/operator.ts';
import { plain } from '../base/plain.ts';
import type { Verb } from './verb.ts';

/** What this person may say, and how. */
export function helpPage(verbs: readonly Verb[], asker: Asker): string {
  return `You are ${plain(asker.name)}, ${article(asker.role)}. Say: ssh -p PORT ${plain(asker.name)}@HOST VERB\n\n${helpLines(allowed(verbs, asker))}  help [VERB] [--json]\n      this page, or how one verb is used\n`;
}

/** A usage and a summary for each. */
export function helpLines(verbs: readonly Verb[]): string {
  return verbs.map((verb) => `  ${verb.usage}\n      ${verb.summary}\n`).join('');
}

/** What this person may say. */
export function allowed(verbs: readonly Verb[], asker: Asker): readonly Verb[] {
  return verbs.filter((verb) => mayActAs(asker.role, verb.role));
}

/** A verb as `help --json` tells of it. */
export function helpView({ name, usage, summary, role }: Verb): Pick<Verb, 'name' | 'usage' | 'summary' | 'role'> {
  return { name, usage, summary, role };
}

const FOR: Readonly<Record<Verb['role'], string>> = {
  reader: 'everybody',
  developer: 'developers and operators',
  operator: 'operators',
};

export function helpOf(verb: Verb): string {
  return `usage: ${verb.usage}\n${verb.summary}; for ${FOR[verb.role]}\n`;
}

export function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
