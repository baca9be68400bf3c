import type { Build } from '../model/build.ts';
import { mayActAs } from '../model/principal.ts';
import { fingerprint } from '../transport/keys.ts';
import { demand } from './audit.ts';
import type { OpenWorkerDesk } from './link/worker-desk.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { WorkerPage, WorkerView } from './views/worker.ts';
import { shown } from './operator-names.ts';
import { troubleView, workerViews } from './operator-views.ts';
import { demandKnown } from './operator-workers.ts';
import type { WorkerSources } from './operator-workers.ts';

export interface PageSources extends WorkerSources {
  readonly desk: Pick<OpenWorkerDesk, 'connected' | 'vitals' | 'connection'>;
}

/** So many of the last builds and troubles of a worker are shown. */
const LAST_BUILDS = 10;
const LAST_TROUBLES = 20;

export async function listWorkers(sources: PageSources, asker: Asker): Promise<readonly WorkerView[]> {
  demand(asker, 'reader', 'list workers');
  return await views(sources);
}

/** Everything about one worker. Its keys are for operators. */
export async function workerPage(sources: PageSources, asker: Asker, name: string): Promise<WorkerPage> {
  demand(asker, 'reader', 'see a worker');
  await demandKnown(sources, name);
  const { store, desk, people } = sources;
  // One that is only admitted, and was never here, is in no list yet.
  const view = (await views(sources, name)).find((one) => one.name === name);
  if (!view) throw new OperatorError('not-found', `there is no worker ${shown(name)}; "workers" lists them`);
  const last = await store.builds.list({ worker: name, limit: LAST_BUILDS });
  const keys = people.list().find((one) => one.role === 'worker' && one.name === name && !one.revokedAtMs)?.keys ?? [];
  return {
    ...view,
    troubles: (await store.troubles.ofWorker(name, LAST_TROUBLES)).map(troubleView),
    vitals: desk.connected().has(name) ? (desk.vitals(name) ?? null) : null,
    connection: desk.connection(name) ?? null,
    lastBuilds: last.map(buildLine),
    keys: mayActAs(asker.role, 'operator')
      ? keys.map((key) => ({ fingerprint: fingerprint(key), comment: key.comment }))
      : null,
  };
}

async function views({ store, configs, desk, clock }: PageSources, also?: string): Promise<readonly WorkerView[]> {
  const [stored, running, troubles] = await Promise.all([
    store.workers.list(),
    store.builds.running(),
    store.troubles.open(),
  ]);
  const isThere = also === undefined || stored.some(({ name }) => name === also);
  const records = isThere ? stored : [...stored, { name: also, facts: {}, epoch: 0, isConnected: false }];
  const vitals = (name: string): ReturnType<typeof desk.vitals> => desk.vitals(name);
  return workerViews(configs.active, records, desk.connected(), running, vitals, troubles, clock.now());
}

function buildLine(build: Build): WorkerPage['lastBuilds'][number] {
  const { id, project, builder, number, state, result, startedAtMs, finishedAtMs } = build;
  return {
    id,
    project,
    builder,
    number,
    state,
    result: result ?? null,
    startedAtMs,
    finishedAtMs: finishedAtMs ?? null,
  };
}
