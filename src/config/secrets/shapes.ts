import { secretsIn } from '../../model/secret.ts';
import type { CheckedBuilder, CheckedConfig } from '../config-schema.ts';
import { parseDuration } from '../duration.ts';
import type { SecretShape } from '../shape.ts';
import type { CheckedSecrets } from './schema.ts';

const COMMAND_LIMIT = '30s';

export function secretShapes(secrets: CheckedSecrets): SecretShape[] {
  return Object.entries(secrets).map(([name, { projects, forks, ...given }]) => ({
    name,
    from: originOf(given),
    projects,
    ...(forks === true && { forks }),
  }));
}

type Given = CheckedSecrets[string] extends infer T
  ? T extends unknown
    ? Omit<T, 'projects' | 'forks'>
    : never
  : never;

function originOf(given: Given): SecretShape['from'] {
  switch (given.kind) {
    case 'secretFile':
      return { kind: 'file', path: given.path };
    case 'secretEnv':
      return { kind: 'env', variable: given.variable };
    default:
      return { kind: 'command', argv: given.argv, timeoutMs: parseDuration(given.timeout ?? COMMAND_LIMIT) };
  }
}

/** Those that are seen in what a builder and its steps are made of, and those that it says its code asks for. */
export function secretsOfBuilder({ env, secrets = [], steps }: CheckedBuilder): readonly string[] {
  return [
    ...new Set([
      ...secrets,
      ...secretsIn(typeof env === 'function' ? undefined : env),
      ...steps.flatMap(({ made }) => secretsIn(made)),
    ]),
  ].sort();
}

/** What is wrong with the names of secrets, and of the projects that may have them. */
export function secretMistakes({ secrets = {}, projects }: CheckedConfig): readonly string[] {
  const mistakes: string[] = [];
  const known = new Set(projects.map(({ name }) => name));
  for (const [name, { projects: allowed }] of Object.entries(secrets)) {
    for (const project of allowed === 'all' ? [] : allowed) {
      if (known.has(project)) continue;
      mistakes.push(`secret "${name}": there is no project "${project}"; correct the name, or take it out`);
    }
  }
  for (const project of projects) {
    for (const builder of project.builders) {
      const place = `project "${project.name}", builder "${builder.name}"`;
      for (const name of secretsOfBuilder(builder)) {
        const allowed = Object.hasOwn(secrets, name) ? secrets[name]?.projects : undefined;
        if (allowed === undefined) {
          mistakes.push(`${place}: there is no secret "${name}"; add it to the secrets, or correct the name`);
        } else if (allowed !== 'all' && !allowed.includes(project.name)) {
          mistakes.push(`${place}: secret "${name}" is not for this project; add "${project.name}" to its projects`);
        }
      }
    }
  }
  return mistakes;
}
