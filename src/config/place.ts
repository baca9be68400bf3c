const NOUNS: Readonly<Record<string, string>> = {
  hosts: 'host',
  workers: 'worker',
  projects: 'project',
  builders: 'builder',
  steps: 'step',
  schedulers: 'scheduler',
  locks: 'lock',
};

/** Keys that the writer of a configuration never wrote. */
const UNSAID = new Set<PropertyKey | undefined>(['kind', 'made', 'rules']);

/** A path into a configuration, in words: `project "kate", builder "debian", timeout`. */
export function placeInWords(config: unknown, path: readonly PropertyKey[]): string {
  const words: string[] = [];
  let value = config;
  for (let at = 0; at < path.length; at++) {
    const key = path[at];
    value = inside(value, key);
    const noun = NOUNS[String(key)];
    const next = path[at + 1];
    if (noun !== undefined && typeof next === 'number') {
      value = inside(value, next);
      const name = inside(value, 'name');
      words.push(typeof name === 'string' ? `${noun} ${JSON.stringify(name)}` : `${noun} ${next + 1}`);
      at++;
    } else if (!UNSAID.has(key)) {
      words.push(String(key));
    }
  }
  return words.join(', ');
}

function inside(value: unknown, key: PropertyKey | undefined): unknown {
  if (typeof value !== 'object' || value === null || key === undefined) return undefined;
  return (value as Readonly<Record<PropertyKey, unknown>>)[key];
}
