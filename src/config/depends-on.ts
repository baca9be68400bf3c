interface Depending {
  readonly name: string;
  readonly dependsOn?: readonly string[] | undefined;
}

/** What is wrong with the order of the projects: names of none, and rings, each told once with all that are in it. */
export function dependsOnMistakes(projects: readonly Depending[]): readonly string[] {
  const upstreams = new Map(projects.map(({ name, dependsOn = [] }) => [name, dependsOn]));
  const mistakes: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const at = path.indexOf(name);
    if (at >= 0) {
      const ring = [...path.slice(at), name].map((one) => `"${one}"`).join(' depends on ');
      mistakes.push(
        `project "${name}": dependsOn goes round in a ring, so that none could begin: project ${ring}; remove one`,
      );
      return;
    }
    if (done.has(name)) return;
    for (const upstream of upstreams.get(name) ?? []) {
      if (upstreams.has(upstream)) visit(upstream, [...path, name]);
      else
        mistakes.push(
          `project "${name}": dependsOn names "${upstream}", and there is no such project; correct the name`,
        );
    }
    done.add(name);
  };
  for (const { name } of projects) visit(name, []);
  return mistakes;
}
