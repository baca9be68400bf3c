/**
 * The commands of this program with their second words, known without loading what they are made of: whoever asks a master
 * elsewhere does not wait for a database and a compiler.
 */
const LOCAL_COMMANDS: Readonly<Record<string, readonly string[] | undefined>> = {
  master: ['init', 'check', 'start', 'reload', 'hostkey', 'stop'],
  worker: ['init', 'start', 'drain', 'rotate', 'stop'],
  demo: undefined,
  completion: ['bash', 'zsh', 'fish'],
  help: ['master', 'worker', 'demo', 'completion'],
};

/** Whether the words begin with a command of this program: `worker start` does, `worker add`, a master's verb, does not. */
export function isLocalCommand([first = '', second]: readonly string[]): boolean {
  if (!Object.hasOwn(LOCAL_COMMANDS, first)) return false;
  const seconds = LOCAL_COMMANDS[first];
  return (
    seconds === undefined || second === undefined || second.startsWith('-') || ['help', ...seconds].includes(second)
  );
}

/** What may stand in the place of the last word. */
export function localWords(words: readonly string[]): readonly string[] {
  if (words.length <= 1) return [...Object.keys(LOCAL_COMMANDS), '--master'];
  const first = words[0] ?? '';
  return words.length === 2 && Object.hasOwn(LOCAL_COMMANDS, first) ? (LOCAL_COMMANDS[first] ?? []) : [];
}
