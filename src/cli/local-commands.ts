/**
 * The commands of this program, known without loading what they are made of: whoever asks a master elsewhere does not wait for a
 * database and a compiler. A list has the second words; what follows a name without a list is the command's own business.
 */
const LOCAL_COMMANDS: Readonly<Record<string, readonly string[] | undefined>> = {
  master: undefined,
  worker: ['init', 'start', 'drain', 'rotate', 'stop'],
  demo: undefined,
  completion: undefined,
  help: undefined,
};

/** Whether the words begin with a command of this program: `worker start` does, `worker add`, a master's verb, does not. */
export function isLocalCommand([first = '', second]: readonly string[]): boolean {
  if (!Object.hasOwn(LOCAL_COMMANDS, first)) return false;
  const seconds = LOCAL_COMMANDS[first];
  return (
    seconds === undefined || second === undefined || second.startsWith('-') || ['help', ...seconds].includes(second)
  );
}
