import { mayActAs } from '../model/principal.ts';
import type { Asker } from '../master/operator.ts';
import { plain } from '../base/plain.ts';
import type { Verb } from './verb.ts';

/** What this person may say, and how. */
export function helpPage(verbs: readonly Verb[], asker: Asker): string {
  const lines = allowed(verbs, asker).map((verb) => `  ${verb.usage}\n      ${verb.summary}`);
  return `You are ${plain(asker.name)}, ${article(asker.role)}. Say: ssh -p PORT ${plain(asker.name)}@HOST VERB\n\n${lines.join('\n')}\n  help [VERB] [--json]\n      this page, or how one verb is used\n`;
}

/** What this person may say. */
export function allowed(verbs: readonly Verb[], asker: Asker): readonly Verb[] {
  return verbs.filter((verb) => mayActAs(asker.role, verb.role));
}

/** A verb as `help --json` tells of it. */
export function helpView({ name, usage, summary, role }: Verb): Pick<Verb, 'name' | 'usage' | 'summary' | 'role'> {
  return { name, usage, summary, role };
}

export function helpOf(verb: Verb): string {
  return `usage: ${verb.usage}\n${verb.summary}; for ${verb.role}s and above\n`;
}

export function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
