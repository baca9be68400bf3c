import { spawn } from 'node:child_process';
import { completeVerb } from '../../frontdoor/completion.ts';
import type { NameKind } from '../../frontdoor/completion.ts';
import { VERBS } from '../../frontdoor/verbs/all.ts';
import { MASTER_VARIABLE, sshArguments } from '../client/remote-call.ts';
import { localWords } from '../local-commands.ts';

/** A person waits with a finger on the key. */
const DEADLINE_MS = 2_000;
const NAMES_MAX_BYTES = 256 * 1024;
/** Nothing that a shell, or a terminal, would take for more than a name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_./#-]*$/;

/** What may stand in the place of the last word, for a shell. */
export async function candidates(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> {
  const [first = '', named, ...rest] = words;
  const isNamed = first === '--master' && words.length > 2;
  const master = isNamed ? named : env[MASTER_VARIABLE];
  const call = isNamed && named !== undefined ? rest : words;
  const local = isNamed ? [] : localWords(call);
  const remote = master ? completeVerb(VERBS, call) : { words: [] };
  const names = master && remote.names ? await askNames(master, remote.names) : [];
  const last = call.at(-1) ?? '';
  const all = [...local, ...remote.words, ...names.filter((name) => NAME.test(name))].filter((one) =>
    one.startsWith(last),
  );
  return [...new Set(all)].toSorted((a, b) => a.localeCompare(b));
}

/** The words of a line up to the cursor, as far as they are whole; quotes are not looked into. */
export function wordsOf(line: string): readonly string[] {
  return line.trimStart().split(/\s+/).slice(1);
}

/** Nothing when the master cannot be asked in time, or wants something of the person first. */
function askNames(master: string, kind: NameKind): Promise<readonly string[]> {
  const options = ['-o', 'BatchMode=yes', '-o', `ConnectTimeout=${DEADLINE_MS / 1_000}`];
  return new Promise((resolve) => {
    const child = spawn('ssh', [...options, ...sshArguments({ master, words: ['complete', kind] })], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: DEADLINE_MS,
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (text.length > NAMES_MAX_BYTES) child.kill();
    });
    child.once('error', () => resolve([]));
    child.once('close', (status) => resolve(status === 0 ? text.split('\n') : []));
  });
}
