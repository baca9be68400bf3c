import { UserMistake } from '../../base/errors.ts';
import { isLocalCommand } from '../local-commands.ts';
import { MASTER_VARIABLE } from './remote-call.ts';

/** Says how a master is named to whoever calls a verb, or its help, without one: it is no command of this machine. */
export async function refuseVerb(args: readonly string[]): Promise<void> {
  const words = args[0] === 'help' ? args.slice(1) : args;
  if (isLocalCommand(words)) return;
  const { VERBS } = await import('../../frontdoor/verbs/all.ts');
  const verb = VERBS.find(({ name }) => name.split(' ').every((word, index) => word === words[index]));
  if (!verb) return;
  const what = `"${verb.name}" is said to a master: trunkline --master USER@HOST[:PORT] ${args[0] === 'help' ? 'help ' : ''}${verb.name} …`;
  throw new UserMistake(`${what}, or set ${MASTER_VARIABLE}=USER@HOST[:PORT]`, { exitStatus: 64 });
}
