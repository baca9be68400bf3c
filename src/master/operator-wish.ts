import type { BuilderShape, ProjectShape, ConfigShape } from '../config/shape.ts';
import type { JsonObject } from '../model/json.ts';
import { PROPERTIES_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME, PROPERTY_RULE } from '../model/properties.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import { isBranchName, REF_MAX } from '../model/branch-name.ts';
import { OperatorError } from './operator.ts';
import { noProject, shown } from './operator-names.ts';

export interface BuilderName {
  readonly project: string;
  readonly builder: string;
}

/** What a person may say of the build he wants. */
export interface BuildWish {
  readonly branch?: string;
  readonly revision?: string;
  readonly properties: JsonObject;
  readonly reason?: string;
  /** What the person calls the build set elsewhere. */
  readonly externalId?: string;
}

const EXTERNAL_ID_MAX = 200;
const REASON_MAX = 1_000;
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/+-]*$/;
/** What git would find in the folder of an earlier build, whatever that was of. */
const OF_A_FOLDER = /^(?:[A-Z]+_)?HEAD$|^refs\/(?!tags\/)|^trunkline\//;

export function findProject(config: ConfigShape, name: string): ProjectShape {
  const project = config.projects.find((one) => one.name === name);
  if (!project) throw noProject(name);
  return project;
}

export function findBuilder(project: ProjectShape, name: string): BuilderShape {
  const builder = project.builders.find((one) => one.name === name);
  if (builder) return builder;
  const names = project.builders.map((one) => one.name).join(', ');
  throw new OperatorError(
    'not-found',
    `project ${project.name} has no builder "${shown(name)}"; it has: ${shown(names)}`,
  );
}

/** The source stamp that a wish means. Throws what is wrong with the wish, and what to do. */
export function checkWish({ source, name }: ProjectShape, wish: BuildWish): SourceStamp {
  checkProperties(wish.properties);
  checkExternalId(wish.externalId);
  if (wish.reason !== undefined && wish.reason.length > REASON_MAX) {
    throw new OperatorError('usage', `the reason is longer than ${REASON_MAX} characters`);
  }
  const { branch, revision } = wish;
  if (!source) {
    if (branch === undefined && revision === undefined) return {};
    throw new OperatorError('usage', `project ${name} has no source: leave branch and revision out`);
  }
  if (branch !== undefined) checkBranch(branch);
  if (revision !== undefined) checkRevision(revision);
  const chosen = branch ?? source.branch;
  return {
    repository: source.url,
    ...(chosen !== undefined && { branch: chosen }),
    ...(revision !== undefined && { revision }),
  };
}

/** For the audit log. */
export function wishDetail({ branch, revision, properties, externalId }: BuildWish): JsonObject {
  return {
    ...(branch !== undefined && { branch }),
    ...(revision !== undefined && { revision }),
    ...(externalId !== undefined && { externalId: externalId.slice(0, EXTERNAL_ID_MAX) }),
    properties: Object.keys(properties),
  };
}

export function checkBranch(branch: string): void {
  if (isBranchName(branch)) return;
  throw new OperatorError('usage', `"${shown(branch)}" is no name of a branch`);
}

export function checkRevision(revision: string): void {
  const isOne = REVISION.test(revision) && !revision.includes('..') && !OF_A_FOLDER.test(revision);
  if (isOne && revision.length <= REF_MAX) return;
  throw new OperatorError('usage', `"${shown(revision)}" is no name of a revision: give a commit's hash or a tag`);
}

export function checkExternalId(id: string | undefined): void {
  const mistake = externalIdMistake(id);
  if (mistake !== undefined) throw new OperatorError('usage', mistake);
}

export function externalIdMistake(id: string | undefined): string | undefined {
  if (id === undefined || (id !== '' && id.length <= EXTERNAL_ID_MAX)) return undefined;
  return `the external id "${shown(id)}" has not 1 to ${EXTERNAL_ID_MAX} characters`;
}

export function checkProperties(properties: JsonObject): void {
  const names = Object.keys(properties);
  if (names.length > PROPERTIES_MAX) throw new OperatorError('usage', `more than ${PROPERTIES_MAX} properties`);
  const bad = names.find((name) => !PROPERTY_NAME.test(name));
  if (bad !== undefined) {
    throw new OperatorError('usage', `"${shown(bad)}" is no name of a property: ${PROPERTY_RULE}`);
  }
  if (Buffer.byteLength(JSON.stringify(properties)) > PROPERTIES_BYTES_MAX) {
    throw new OperatorError('usage', `the properties are longer than ${PROPERTIES_BYTES_MAX} bytes in all`);
  }
}
