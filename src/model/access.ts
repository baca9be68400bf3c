import { mayActAs } from './principal.ts';
import type { Role } from './principal.ts';

/** Who may what of a project, by names of people. A list that is absent limits nobody. It narrows roles, and never widens them. */
export interface Access {
  readonly read?: readonly string[];
  readonly control?: readonly string[];
}

/** The projects that are limited, by name; whatever is not named here is everybody's. */
export type AccessByProject = Readonly<Record<string, Access>>;

export function accessOf(all: AccessByProject, project: string): Access | undefined {
  return Object.hasOwn(all, project) ? all[project] : undefined;
}

interface Person {
  readonly name: string;
  readonly role: Role;
}

/** Readers, if the project names any: these, and whom it lets control it. Operators always. */
export function mayRead(person: Person, access: Access | undefined): boolean {
  if (!mayActAs(person.role, 'reader')) return false;
  if (mayActAs(person.role, 'operator') || access?.read === undefined) return true;
  return access.read.includes(person.name) || (access.control?.includes(person.name) ?? false);
}

/** Developers who may read it and, if the project names any, are named. Operators always. */
export function mayControl(person: Person, access: Access | undefined): boolean {
  if (mayActAs(person.role, 'operator')) return true;
  if (!mayActAs(person.role, 'developer') || !mayRead(person, access)) return false;
  return access?.control === undefined || access.control.includes(person.name);
}

/**
 * The limits after a change of the configuration. A project that is gone keeps those that it had: its builds are still there,
 * and nobody is to see them for the reason that it was renamed.
 */
export function accessAfter(
  before: AccessByProject,
  projects: readonly { readonly name: string; readonly access?: Access }[],
): AccessByProject {
  const there = new Set(projects.map(({ name }) => name));
  const gone = Object.entries(before).filter(([name]) => !there.has(name));
  const limited = projects.flatMap(({ name, access }) => (access ? [[name, access] as const] : []));
  return Object.fromEntries([...gone, ...limited]);
}

/** The names in the limits that are nobody's, each with its projects, in lines for people. */
export function unknownInAccess(
  projects: readonly { readonly name: string; readonly access?: Access }[],
  people: ReadonlySet<string>,
): readonly string[] {
  return projects.flatMap(({ name, access = {} }) =>
    [...new Set([...(access.read ?? []), ...(access.control ?? [])])]
      .filter((person) => !people.has(person))
      .map(
        (person) =>
          `project "${name}": access names ${person}, and nobody is called so: add a key, or correct the name`,
      ),
  );
}
