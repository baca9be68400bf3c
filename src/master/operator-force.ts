import type { ConfigShape } from '../config/shape.ts';
import type { JsonObject } from '../model/json.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import { OperatorError } from './operator.ts';
import { noProject, shown } from './operator-names.ts';

export interface ForceTarget {
  readonly project: string;
  readonly builder: string;
}

export interface ForceWish {
  readonly branch?: string;
  readonly revision?: string;
  readonly properties: JsonObject;
  readonly reason?: string;
}

const REF_MAX = 255;
const REASON_MAX = 1_000;
const PROPERTIES_MAX = 100;
const PROPERTIES_BYTES_MAX = 64 * 1024;
const PROPERTY_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;
/** What git-check-ref-format forbids, and what a command line or a terminal might take for something else. */
const BAD_BRANCH = /^[-./]|[/.]$|\.\.|\/\/|@\{|\.lock(\/|$)|[\s~^:?*[\\\p{Cc}]/u;
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/+-]*$/;

/** The source of a forced build. Throws what is wrong with the wish, and what to do. */
export function checkForce(config: ConfigShape, target: ForceTarget, wish: ForceWish): SourceStamp {
  const project = config.projects.find(({ name }) => name === target.project);
  if (!project) throw noProject(target.project);
  const builder = project.builders.find(({ name }) => name === target.builder);
  if (!builder) {
    const names = project.builders.map(({ name }) => name).join(', ');
    throw new OperatorError(
      'not-found',
      `project ${project.name} has no builder "${shown(target.builder)}"; it has: ${shown(names)}`,
    );
  }
  if (!project.isForceable) {
    throw new OperatorError(
      'conflict',
      `builds of ${project.name} cannot be forced: add force() to its schedulers and reload`,
    );
  }
  checkProperties(wish.properties);
  if (wish.reason !== undefined && wish.reason.length > REASON_MAX) {
    throw new OperatorError('usage', `the reason is longer than ${REASON_MAX} characters`);
  }
  return sourceOf(project.source, wish, project.name);
}

function sourceOf(
  source: { readonly url: string; readonly branch?: string } | undefined,
  { branch, revision }: ForceWish,
  project: string,
): SourceStamp {
  if (!source) {
    if (branch === undefined && revision === undefined) return {};
    throw new OperatorError('usage', `project ${project} has no source: leave branch and revision out`);
  }
  if (branch !== undefined && (branch === '' || branch.length > REF_MAX || BAD_BRANCH.test(branch))) {
    throw new OperatorError('usage', `"${shown(branch)}" is no name of a branch`);
  }
  if (revision !== undefined && (revision.length > REF_MAX || revision.includes('..') || !REVISION.test(revision))) {
    throw new OperatorError('usage', `"${shown(revision)}" is no name of a revision: give a commit's hash or a tag`);
  }
  const chosen = branch ?? source.branch;
  return {
    repository: source.url,
    ...(chosen !== undefined && { branch: chosen }),
    ...(revision !== undefined && { revision }),
  };
}

function checkProperties(properties: JsonObject): void {
  const names = Object.keys(properties);
  if (names.length > PROPERTIES_MAX) throw new OperatorError('usage', `more than ${PROPERTIES_MAX} properties`);
  const bad = names.find((name) => !PROPERTY_NAME.test(name));
  if (bad !== undefined) {
    throw new OperatorError(
      'usage',
      `"${shown(bad)}" is no name of a property: letters, digits, "_", "." and "-", the first a letter or "_"`,
    );
  }
  if (Buffer.byteLength(JSON.stringify(properties)) > PROPERTIES_BYTES_MAX) {
    throw new OperatorError('usage', `the properties are longer than ${PROPERTIES_BYTES_MAX} bytes in all`);
  }
}
