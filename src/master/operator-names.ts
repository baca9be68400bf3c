import type { Build, Step } from '../model/build.ts';
import type { Store } from '../store/store.ts';
import { OperatorError } from './operator.ts';

const ID = /^[1-9][0-9]{0,15}$/;
const NUMBERED = /^([^/]+)\/([^/#]+)#([1-9][0-9]{0,15})$/;
/** What people typed is shown to them cut to this. */
const SHOWN = 100;

export function shown(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** The build that a person named: its id, or `project/builder#number`. */
export async function findBuild(store: Store, name: string): Promise<Build> {
  const numbered = NUMBERED.exec(name);
  if (!numbered && !ID.test(name)) {
    throw new OperatorError('usage', `"${shown(name)}" names no build: give its id, or PROJECT/BUILDER#NUMBER`);
  }
  const build = numbered
    ? await store.builds.findByNumber(numbered[1] ?? '', numbered[2] ?? '', Number(numbered[3]))
    : await store.builds.find(Number(name));
  if (!build) throw noBuild(name);
  return build;
}

/** The same words for what is not there and for what the asker may not see: nobody learns that it exists. */
export function noBuild(name: string): OperatorError {
  return new OperatorError('not-found', `there is no build ${shown(name)}; "builds" lists the newest`);
}

export function noRequest(id: number): OperatorError {
  return new OperatorError('not-found', `there is no request ${id}`);
}

export function noSet(id: number): OperatorError {
  return new OperatorError('not-found', `there is no build set ${id}`);
}

export function noProject(name: string): OperatorError {
  return new OperatorError('not-found', `there is no project "${shown(name)}" in the configuration`);
}

export function noScheduler(name: string): OperatorError {
  return new OperatorError(
    'not-found',
    `there is no scheduler "${shown(name)}": give PROJECT/NAME; "schedulers" lists them`,
  );
}

/** The step that a person named: its name, or its index from 0. A name that looks like an index goes first. */
export function findStep(steps: readonly Step[], name: string, build: string): Step {
  const step = steps.find((one) => one.name === name) ?? (/^\d+$/.test(name) ? steps[Number(name)] : undefined);
  if (step) return step;
  const names = steps.map((one) => one.name).join(', ');
  throw new OperatorError(
    'not-found',
    `build ${shown(build)} has no step "${shown(name)}"; its steps are: ${shown(names) || 'none'}`,
  );
}

/** `PROJECT/BUILDER`; undefined when it is something else. */
export function builderName(name: string): { readonly project: string; readonly builder: string } | undefined {
  const match = /^([^/#]+)\/([^/#]+)$/.exec(name);
  return match ? { project: match[1] ?? '', builder: match[2] ?? '' } : undefined;
}

/** `request:ID`; undefined when it is something else. */
export function requestId(name: string): number | undefined {
  const match = /^request:([1-9][0-9]{0,15})$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** `set:ID`, a build set; undefined when it is something else. */
export function buildSetId(name: string): number | undefined {
  const match = /^set:([1-9][0-9]{0,15})$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** `PROJECT#N`, a pull request; undefined when it is something else. */
export function pullRequestName(name: string): { readonly project: string; readonly number: number } | undefined {
  const match = /^([^/#]+)#([1-9][0-9]{0,14})$/.exec(name);
  return match ? { project: match[1] ?? '', number: Number(match[2]) } : undefined;
}
