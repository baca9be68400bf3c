import type { Clock } from '../base/clock.ts';
import { accessOf, mayControl, mayRead } from '../model/access.ts';
import type { AccessByProject } from '../model/access.ts';
import { mayActAs } from '../model/principal.ts';
import type { Store } from '../store/store.ts';
import { noteRefused } from './audit.ts';
import { OperatorError } from './operator.ts';
import type { BuildView } from './views/build.ts';
import { ofReadable } from './views/family.ts';
import type { Asker } from './operator.ts';
import {
  buildSetId,
  builderName,
  findBuild,
  noBuild,
  noProject,
  noRequest,
  noScheduler,
  noSet,
  requestId,
} from './operator-names.ts';

export interface SightSources {
  readonly store: Store;
  readonly clock: Clock;
  /** As it is now: a reload changes it. */
  readonly access: () => AccessByProject;
}

/** What one asker sees of the farm's projects in this moment, and what of it he may control. */
export interface Sight {
  /** Whether the asker may read a project. */
  readonly reads: (project: string) => boolean;
  /** Those of the items whose project the asker may read. */
  seen<T extends { readonly project: string }>(items: readonly T[]): readonly T[];
  /** A build without those of its family that the asker may not read. */
  build(view: BuildView): BuildView;
  /** The projects to leave out of a list. */
  hidden(): readonly string[];
  /** Those of the builds, by id, that the asker may not read. */
  hiddenBuilds(ids: readonly number[]): Promise<ReadonlySet<number>>;
  /** Throws as for a project that is not there. */
  readProject(name: string): void;
  /** Resolves to the build's project; throws as for a build that is not there. */
  readBuild(name: string): Promise<string>;
  mustReadBuild(project: string, name: string): void;
  /** Resolves to the request's project; throws as for a request that is not there. */
  readRequest(id: number): Promise<string>;
  mustReadRequest(project: string, id: number): void;
  /** Throws as for what is not there, whether `name` names a build, `request:ID` or `PROJECT/BUILDER`. */
  readNamed(name: string): Promise<void>;
  /** Throws, and notes the refusal in the audit log, when the asker may not control the project. */
  controlProject(action: string, target: string, project: string): Promise<void>;
  /** The same for a scheduler, `PROJECT/NAME`. */
  controlScheduler(action: string, name: string): Promise<void>;
  /** The same for what `name` names: a build, `request:ID`, or all projects of `set:ID`. What is not there is left to the action itself. */
  controlBuildOrRequest(action: string, name: string): Promise<void>;
}

export function sightOf(sources: SightSources, asker: Asker): Sight {
  const { store } = sources;
  const access = sources.access();
  const reads = (project: string): boolean => mayRead(asker, accessOf(access, project));

  const check = async (action: string, target: string, project: string, isNotThere: OperatorError): Promise<void> => {
    // A role that may not is told so, and noted, by the action itself: it names nothing that it hides.
    if (!mayActAs(asker.role, 'developer') || mayControl(asker, accessOf(access, project))) return;
    const error = reads(project) ? mayNotControl(asker, project) : isNotThere;
    await noteRefused(sources, asker, { action, target }, error);
    throw error;
  };

  return {
    reads,
    seen: (items) => items.filter(({ project }) => reads(project)),
    build: (view) => ofReadable(view, reads),
    hidden: () => Object.keys(access).filter((project) => !reads(project)),
    async hiddenBuilds(ids) {
      const builds = await Promise.all(ids.map((id) => store.builds.find(id)));
      return new Set(builds.flatMap((build) => (build && !reads(build.project) ? [build.id] : [])));
    },
    readProject(name) {
      if (!reads(name)) throw noProject(name);
    },
    async readBuild(name) {
      const { project } = await findBuild(store, name);
      this.mustReadBuild(project, name);
      return project;
    },
    mustReadBuild(project, name) {
      if (!reads(project)) throw noBuild(name);
    },
    async readRequest(id) {
      const request = await store.requests.find(id);
      if (!request) throw noRequest(id);
      this.mustReadRequest(request.project, id);
      return request.project;
    },
    mustReadRequest(project, id) {
      if (!reads(project)) throw noRequest(id);
    },
    async readNamed(name) {
      const request = requestId(name);
      const target = builderName(name);
      if (request !== undefined) await this.readRequest(request);
      else if (target) this.readProject(target.project);
      else await this.readBuild(name);
    },
    controlProject: (action, target, project) => check(action, target, project, noProject(project)),
    controlScheduler: (action, name) => check(action, name, name.split('/')[0] ?? '', noScheduler(name)),
    async controlBuildOrRequest(action, name) {
      const id = requestId(name);
      const set = buildSetId(name);
      if (set !== undefined) {
        const projects = new Set((await store.requests.ofSet(set)).map(({ project }) => project));
        for (const project of projects) await check(action, name, project, noSet(set));
      } else if (id === undefined) {
        const build = await findBuild(store, name).catch(toNothing);
        if (build) await check(action, name, build.project, noBuild(name));
      } else {
        const request = await store.requests.find(id);
        if (request) await check(action, name, request.project, noRequest(id));
      }
    },
  };
}

function mayNotControl(asker: Asker, project: string): OperatorError {
  return new OperatorError(
    'forbidden',
    `${asker.name} may read ${project}, not control it: ask an operator to name ${asker.name} in its access`,
  );
}

/** What names nothing is told by the action itself, which notes it, too. */
function toNothing(error: unknown): undefined {
  if (!(error instanceof OperatorError)) throw error;
}
