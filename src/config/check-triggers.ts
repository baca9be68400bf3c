import type { CheckedConfig } from './config-schema.ts';

/** What is wrong with the steps that trigger: names of no scheduler, and builders whose triggers come back to themselves. */
export function triggerMistakes({ projects }: CheckedConfig): readonly string[] {
  const mistakes: string[] = [];
  /** `project/builder` → those that it has built. */
  const asks = new Map<string, readonly string[]>();
  for (const project of projects) {
    for (const builder of project.builders) {
      const asked: string[] = [];
      for (const step of builder.steps) {
        const place = `project "${project.name}", builder "${builder.name}", step "${step.name}"`;
        const { made } = step;
        if (made?.of !== 'trigger') continue;
        const names = textsOf(made['schedulers']);
        if (names.length === 0) mistakes.push(`${place}: name the triggerable schedulers: schedulers: ['parts']`);
        for (const name of textsOf(made['unimportant'])) {
          if (!names.includes(name)) mistakes.push(`${place}: unimportant names "${name}", which is not triggered`);
        }
        for (const name of names) {
          const found = targetsOf(projects, project.name, name);
          if (found) asked.push(...found);
          else {
            const where = `project "${projectIn(name, project.name)}"`;
            mistakes.push(
              `${place}: there is no triggerable("${nameIn(name)}") in ${where}; add it, or correct the name`,
            );
          }
        }
      }
      asks.set(`${project.name}/${builder.name}`, asked);
    }
  }
  for (const circle of circles(asks)) {
    mistakes.push(`the triggers of builder ${circle[0]} come back to it: ${circle.join(' → ')}; take one of them out`);
  }
  return mistakes;
}

function textsOf(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
}

function projectIn(name: string, own: string): string {
  const slash = name.indexOf('/');
  return slash < 0 ? own : name.slice(0, slash);
}

function nameIn(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** The builders that a trigger of this name means; undefined when there is no such scheduler. */
function targetsOf(projects: CheckedConfig['projects'], own: string, name: string): readonly string[] | undefined {
  const project = projects.find((one) => one.name === projectIn(name, own));
  const scheduler = project?.schedulers?.find((one) => one.kind === 'triggerable' && one.name === nameIn(name));
  if (!project || !scheduler) return undefined;
  const builders = scheduler.builders ?? project.builders.map((builder) => builder.name);
  return builders.map((builder) => `${project.name}/${builder}`);
}

/** Each way that leads from a builder back to it, once. */
function circles(asks: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const done = new Set<string>();
  const line: string[] = [];
  const visit = (builder: string): void => {
    const at = line.indexOf(builder);
    if (at >= 0) return void found.push([...line.slice(at), builder]);
    if (done.has(builder)) return;
    line.push(builder);
    for (const next of new Set(asks.get(builder))) visit(next);
    line.pop();
    done.add(builder);
  };
  for (const builder of asks.keys()) visit(builder);
  return found;
}
