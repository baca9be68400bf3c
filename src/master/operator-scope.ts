import type { Asker, Operator } from './operator.ts';
import { veilLock } from './operator-locks.ts';
import { pullRequestName } from './operator-names.ts';
import { ofReadableCauses } from './operator-why.ts';
import { sightOf } from './sight.ts';
import type { Sight, SightSources } from './sight.ts';

type SeenBy = (asker: Asker) => Sight;

/** A row: how the verb is answered within the projects of its asker. */
type Rows = { readonly [Verb in keyof Operator]: (inner: Operator, seenBy: SeenBy) => Operator[Verb] };

/** A verb that neither names nor tells anything of a project. */
function ofTheFarm<Verb extends keyof Operator>(verb: Verb): (inner: Operator) => Operator[Verb] {
  return (inner) => inner[verb].bind(inner) as Operator[Verb];
}

/**
 * Every verb, in the order of `Operator`. What the asker may not read is for him not there, in the words for what is not there;
 * what he may read and not control is refused, and the refusal is in the audit log. Roles are the inner operator's business.
 */
const ROWS: Rows = {
  noteRefusal: ofTheFarm('noteRefusal'),
  status: (inner, seenBy) => async (asker) => {
    const view = await inner.status(asker);
    const sight = seenBy(asker);
    return {
      ...view,
      running: sight.seen(view.running).map((one) => sight.build(one)),
      waiting: sight.seen(view.waiting),
    };
  },
  builders: (inner, seenBy) => async (asker, wish) => {
    const sight = seenBy(asker);
    if (wish.project !== undefined) sight.readProject(wish.project);
    return sight.seen(await inner.builders(asker, wish));
  },
  builds: (inner, seenBy) => async (asker, filter) => {
    const sight = seenBy(asker);
    return (await inner.builds(asker, { ...filter, without: sight.hidden() })).map((one) => sight.build(one));
  },
  build: (inner, seenBy) => async (asker, name) => {
    await seenBy(asker).readBuild(name);
    return seenBy(asker).build(await inner.build(asker, name));
  },
  tests: (inner, seenBy) => async (asker, build, wish) => {
    await seenBy(asker).readBuild(build);
    return await inner.tests(asker, build, wish);
  },
  queue: (inner, seenBy) => async (asker) => seenBy(asker).seen(await inner.queue(asker)),
  why: (inner, seenBy) => async (asker, name) => {
    await seenBy(asker).readNamed(name);
    const sight = seenBy(asker);
    return (await inner.why(asker, name)).map((view) => ofReadableCauses(view, sight.reads));
  },
  locks: (inner, seenBy) => async (asker, name) => {
    const { reads } = seenBy(asker);
    return (await inner.locks(asker, name)).map((lock) => veilLock(lock, reads));
  },
  workers: (inner, seenBy) => async (asker) => {
    const views = await inner.workers(asker);
    const hidden = await seenBy(asker).hiddenBuilds(views.flatMap(({ builds }) => builds));
    return views.map((view) => ({ ...view, builds: view.builds.filter((build) => !hidden.has(build)) }));
  },
  worker: (inner, seenBy) => async (asker, name) => {
    const page = await inner.worker(asker, name);
    const { builds, lastBuilds } = page;
    const hidden = await seenBy(asker).hiddenBuilds([...builds, ...lastBuilds.map(({ id }) => id)]);
    return {
      ...page,
      builds: builds.filter((id) => !hidden.has(id)),
      lastBuilds: lastBuilds.filter(({ id }) => !hidden.has(id)),
    };
  },
  artifacts: (inner, seenBy) => async (asker, build) => {
    await seenBy(asker).readBuild(build);
    return await inner.artifacts(asker, build);
  },
  artifact: (inner, seenBy) =>
    async function* (asker, build, name) {
      const project = await seenBy(asker).readBuild(build);
      for await (const piece of inner.artifact(asker, build, name)) {
        // A reload may have taken the right away meanwhile.
        seenBy(asker).mustReadBuild(project, build);
        yield piece;
      }
    },
  log: (inner, seenBy) =>
    async function* (asker, build, step, options) {
      const project = await seenBy(asker).readBuild(build);
      for await (const piece of inner.log(asker, build, step, options)) {
        // A reload may have taken the right away meanwhile.
        seenBy(asker).mustReadBuild(project, build);
        yield piece;
      }
    },
  login: ofTheFarm('login'),
  addToken: ofTheFarm('addToken'),
  tokens: ofTheFarm('tokens'),
  revokeToken: ofTheFarm('revokeToken'),
  force: (inner, seenBy) => async (asker, target, options) => {
    await seenBy(asker).controlProject('force a build', `${target.project}/${target.builder}`, target.project);
    return await inner.force(asker, target, options);
  },
  parameters: (inner, seenBy) => async (asker, target) => {
    seenBy(asker).readProject(target.project);
    return await inner.parameters(asker, target);
  },
  tryPatch: (inner, seenBy) => async (asker, targets, options, patch) => {
    const sight = seenBy(asker);
    const target = targets.map(({ project, builder }) => `${project}/${builder}`).join(',');
    for (const { project } of targets) await sight.controlProject('try a patch', target, project);
    return await inner.tryPatch(asker, targets, options, patch);
  },
  rebuild: (inner, seenBy) => async (asker, name, wish) => {
    await seenBy(asker).controlBuildOrRequest('rebuild', name);
    return await inner.rebuild(asker, name, wish);
  },
  sendChanges: (inner, seenBy) => async (asker, project, changes) => {
    await seenBy(asker).controlProject('send a change', project, project);
    return await inner.sendChanges(asker, project, changes);
  },
  changes: (inner, seenBy) => (asker, filter) => inner.changes(asker, { ...filter, without: seenBy(asker).hidden() }),
  sources: (inner, seenBy) => async (asker) => {
    const views = await inner.sources(asker);
    const hidden = new Set(seenBy(asker).hidden());
    return views.flatMap((view) => {
      const projects = view.projects.filter((project) => !hidden.has(project));
      return projects.length > 0 ? [{ ...view, projects }] : [];
    });
  },
  poll: (inner, seenBy) => async (asker, project) => {
    const sight = seenBy(asker);
    await sight.controlProject('poll a source', project, project);
    const view = await inner.poll(asker, project);
    return { ...view, changes: sight.seen(view.changes) };
  },
  schedulers: (inner, seenBy) => async (asker, project) => {
    const sight = seenBy(asker);
    if (project !== undefined) sight.readProject(project);
    return sight.seen(await inner.schedulers(asker, project));
  },
  switchScheduler: (inner, seenBy) => async (asker, name, wish) => {
    const action = wish.isEnabled ? 'enable a scheduler' : 'disable a scheduler';
    await seenBy(asker).controlScheduler(action, name);
    return await inner.switchScheduler(asker, name, wish);
  },
  watch: (inner, seenBy) =>
    async function* (asker, requestId, signal) {
      const project = await seenBy(asker).readRequest(requestId);
      for await (const progress of inner.watch(asker, requestId, signal)) {
        seenBy(asker).mustReadRequest(project, requestId);
        yield progress.kind === 'build' ? { ...progress, build: seenBy(asker).build(progress.build) } : progress;
      }
    },
  stop: (inner, seenBy) => async (asker, name, reason) => {
    await seenBy(asker).controlBuildOrRequest('stop', name);
    await inner.stop(asker, name, reason);
  },
  approveBuild: (inner, seenBy) => async (asker, name, revision) => {
    const pull = pullRequestName(name);
    const action = 'approve a build';
    if (pull) await seenBy(asker).controlProject(action, name, pull.project);
    else await seenBy(asker).controlBuildOrRequest(action, name);
    return await inner.approveBuild(asker, name, revision);
  },
  addWorker: ofTheFarm('addWorker'),
  revokeWorker: ofTheFarm('revokeWorker'),
  inviteWorker: ofTheFarm('inviteWorker'),
  invitations: ofTheFarm('invitations'),
  uninviteWorker: ofTheFarm('uninviteWorker'),
  knocks: ofTheFarm('knocks'),
  approveWorker: ofTheFarm('approveWorker'),
  rotateKeys: ofTheFarm('rotateKeys'),
  nextHostKey: ofTheFarm('nextHostKey'),
  hostKeyStatus: ofTheFarm('hostKeyStatus'),
  useHostKey: ofTheFarm('useHostKey'),
  audit: ofTheFarm('audit'),
  outbox: ofTheFarm('outbox'),
  retryMessage: ofTheFarm('retryMessage'),
  dropMessage: ofTheFarm('dropMessage'),
  holdWorker: ofTheFarm('holdWorker'),
  untilDrained: ofTheFarm('untilDrained'),
  reload: ofTheFarm('reload'),
  announceAbsence: ofTheFarm('announceAbsence'),
};

/** The operator that people are given: each verb within the projects of whoever asks. */
export function withinScope(inner: Operator, sources: SightSources): Operator {
  const seenBy = (asker: Asker): Sight => sightOf(sources, asker);
  const verbs = Object.entries(ROWS).map(([verb, row]) => [verb, row(inner, seenBy)] as const);
  return Object.fromEntries(verbs) as unknown as Operator;
}
