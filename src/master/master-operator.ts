import type { Clock } from '../base/clock.ts';
import { UserMistake } from '../base/errors.ts';
import type { Bus } from '../bus/bus.ts';
import { showDuration } from '../config/duration.ts';
import { unknownInAccess } from '../model/access.ts';
import { isBeingChecked } from '../model/build.ts';
import type { BuildRequest } from '../model/build-request.ts';
import { leaseForAbsence } from '../model/lost-worker.ts';
import { NAME_RULE, isName } from '../model/names.ts';
import type { PublicKey } from '../model/principal.ts';
import type { AuditEntry, Store } from '../store/store.ts';
import { audited, demand, noteRefused } from './audit.ts';
import type { Builds } from './builds/builds.ts';
import type { ChangeIntake } from './changes/take-change.ts';
import type { Configs } from './configs.ts';
import type { HostKeys } from './host-keys.ts';
import type { OpenWorkerDesk } from './link/worker-desk.ts';
import { OperatorError } from './operator.ts';
import type { Asker, Operator } from './operator.ts';
import type { OutboxView } from './views/outbox.ts';
import type { BuilderView, BuildersWish } from './views/builder.ts';
import type { BuildView, BuildsWish } from './views/build.ts';
import type { ChangesWish, ChangeView, ChangeWish, SentChange } from './views/change.ts';
import type { LockView } from './views/lock.ts';
import type { HostKeyStatus, ReloadView, StatusView } from './views/master.ts';
import type { LoginView, NewTokenView, TokenView, TokenWish } from './views/pass.ts';
import type {
  ApprovalView,
  ForceForm,
  ForceProgress,
  ForceWish,
  QueuedView,
  RebuildWish,
  RequestView,
  WhyView,
} from './views/request.ts';
import type { PolledView, SourceView } from './views/source.ts';
import type { ArtifactFolder } from './artifacts/artifact-folder.ts';
import type { ArtifactView } from './views/artifact.ts';
import type { TestsOfBuildWish, TestsView } from './views/tests.ts';
import type { SchedulerView, SwitchWish } from './views/scheduler.ts';
import type {
  InvitationView,
  InviteView,
  InviteWish,
  KnockView,
  KeyRotation,
  HoldWish,
  WorkerPage,
  WorkerView,
} from './views/worker.ts';
import { approveBuild } from './operator-approve.ts';
import { listBuilders, withVirtual } from './operator-builders.ts';
import { listChanges, sendChanges } from './operator-changes.ts';
import { forceBuild, forceForms } from './operator-force.ts';
import { hostKeyStatus, useHostKey } from './operator-host-key.ts';
import { rotateKeys } from './operator-keys.ts';
import { inviteWorker, listInvitations, uninviteWorker } from './operator-invitations.ts';
import { approveWorker, listKnocks } from './operator-knocks.ts';
import { artifactsOfBuild, readArtifact } from './operator-artifacts.ts';
import { readLog } from './operator-log.ts';
import { findBuild, shown } from './operator-names.ts';
import { addToken, listTokens, logIn, revokeToken } from './operator-passes.ts';
import { dropMessage, listOutbox, retryMessage } from './operator-outbox.ts';
import { lockViews } from './operator-locks.ts';
import { pollSource } from './operator-poll.ts';
import { queueViews } from './operator-queue.ts';
import { listSchedulers, switchScheduler } from './operator-schedulers.ts';
import { testsOfBuild } from './operator-tests.ts';
import { tryPatch } from './operator-try.ts';
import { rebuild } from './operator-rebuild.ts';
import { waitingRequests } from './operator-waiting.ts';
import { BEING_STARTED, buildView, requestView, troubleView } from './operator-views.ts';
import { watchRequest } from './operator-watch.ts';
import { explainWhy } from './operator-why.ts';
import type { BuilderName, BuildWish } from './operator-wish.ts';
import type { PatchFolder } from './patches/patch-folder.ts';
import type { Passes } from './people/passes.ts';
import type { Invitations } from './people/invitations.ts';
import type { Knocks } from './people/knocks.ts';
import { listAudit } from './operator-audit.ts';
import { listWorkers, workerPage } from './operator-worker-page.ts';
import { stopBuild } from './operator-stop.ts';
import { holdWorker, untilDrained } from './operator-workers.ts';
import type { People } from './people/people.ts';
import type { Distributor } from './queue/distributor.ts';
import type { OutboxSender } from './reporters/outbox-sender.ts';
import type { SourcePolls } from './sources/source-polls.ts';
import type { Schedulers } from './schedulers/schedulers.ts';
import type { TroubleWatch } from './troubles/trouble-watch.ts';
import type { WebSettings } from './web-door.ts';

export interface MasterOperatorOptions {
  readonly store: Store;
  readonly artifacts: ArtifactFolder;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly intake: ChangeIntake;
  readonly desk: OpenWorkerDesk;
  readonly people: People;
  readonly passes: Passes;
  readonly web: WebSettings;
  readonly hostKeys: HostKeys;
  readonly invitations: Invitations;
  readonly knocks: Knocks;
  readonly configs: Configs;
  readonly builds: Builds;
  readonly distributor: Distributor;
  readonly schedulers: Pick<Schedulers, 'wake'>;
  readonly patches: PatchFolder;
  readonly sourcePolls: Pick<SourcePolls, 'list' | 'look' | 'poll'>;
  readonly troubles: Pick<TroubleWatch, 'look'>;
  readonly sender: Pick<OutboxSender, 'look'>;
}

const LIST_MAX = 1_000;
/** Waiting requests that a status shows: the first to start. */
const WAITING_MAX = 1_000;
/** Of the master, announced to workers: 30 days. */
const LONGEST_ABSENCE_MS = 30 * 86_400_000;

/** The verbs over the master's parts: who may, then what is asked, then the view of it. */
export class MasterOperator implements Operator {
  readonly #parts: MasterOperatorOptions;

  constructor(parts: MasterOperatorOptions) {
    this.#parts = parts;
  }

  async noteRefusal(asker: Asker, { action, target, why }: Parameters<Operator['noteRefusal']>[1]): Promise<void> {
    await noteRefused(this.#parts, asker, { action, target }, why);
  }

  async status(asker: Asker): Promise<StatusView> {
    demand(asker, 'reader', 'see the status');
    const { store, configs, desk } = this.#parts;
    const [running, waiting] = await Promise.all([store.builds.running(), this.#waiting()]);
    const connected = desk.connected();
    const { title, hash, workers } = configs.active;
    return {
      title,
      configHash: hash,
      running: await Promise.all(
        running.filter((build) => !isBeingChecked(build)).map((build) => buildView(this.#parts, build)),
      ),
      waiting,
      troubles: (await store.troubles.open()).map(troubleView),
      workers: { connected: workers.filter(({ name }) => connected.has(name)).length, configured: workers.length },
    };
  }

  async builders(asker: Asker, wish: BuildersWish): Promise<readonly BuilderView[]> {
    return await listBuilders(this.#parts, asker, wish);
  }

  async builds(asker: Asker, filter: BuildsWish): Promise<readonly BuildView[]> {
    demand(asker, 'reader', 'list builds');
    const { store } = this.#parts;
    const limit = Math.max(1, Math.min(LIST_MAX, Math.floor(filter.limit)));
    const builds = await store.builds.list({ ...(await withVirtual(this.#parts, filter)), limit });
    return await Promise.all(builds.map((build) => buildView(this.#parts, build)));
  }

  async build(asker: Asker, name: string): Promise<BuildView> {
    demand(asker, 'reader', 'see a build');
    const { store } = this.#parts;
    return await buildView(this.#parts, await findBuild(store, name));
  }

  async tests(asker: Asker, build: string, wish: TestsOfBuildWish): Promise<TestsView> {
    demand(asker, 'reader', 'see the tests of a build');
    return await testsOfBuild(this.#parts.store, build, wish);
  }

  async queue(asker: Asker): Promise<readonly QueuedView[]> {
    demand(asker, 'reader', 'see the queue');
    return await queueViews(this.#parts);
  }

  async locks(asker: Asker, name?: string): Promise<readonly LockView[]> {
    demand(asker, 'reader', 'see the locks');
    return await lockViews(this.#parts, name);
  }

  async why(asker: Asker, name: string): Promise<readonly WhyView[]> {
    demand(asker, 'reader', 'see why something waits');
    return await explainWhy(this.#parts, name);
  }

  workers(asker: Asker): Promise<readonly WorkerView[]> {
    return listWorkers(this.#parts, asker);
  }

  worker(asker: Asker, name: string): Promise<WorkerPage> {
    return workerPage(this.#parts, asker, name);
  }

  audit(asker: Asker, limit: number): Promise<readonly AuditEntry[]> {
    return listAudit(this.#parts, asker, limit);
  }

  outbox(asker: Asker): Promise<readonly OutboxView[]> {
    return listOutbox(this.#parts, asker);
  }

  retryMessage(asker: Asker, id: number): Promise<void> {
    return retryMessage(this.#parts, asker, id);
  }

  dropMessage(asker: Asker, id: number): Promise<void> {
    return dropMessage(this.#parts, asker, id);
  }

  artifacts(asker: Asker, build: string): Promise<readonly ArtifactView[]> {
    demand(asker, 'reader', 'see the artifacts of a build');
    return artifactsOfBuild(this.#parts, build);
  }

  async *artifact(asker: Asker, build: string, name: string): AsyncGenerator<Uint8Array> {
    demand(asker, 'reader', 'read an artifact');
    yield* readArtifact(this.#parts, build, name);
  }

  async *log(
    asker: Asker,
    build: string,
    step: string,
    options: { readonly log?: string; readonly from: number; readonly follow: boolean; readonly signal?: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    demand(asker, 'reader', 'read a log');
    yield* readLog(this.#parts, build, step, options);
  }

  login(asker: Asker): Promise<LoginView> {
    return logIn(this.#parts, asker);
  }

  addToken(asker: Asker, wish: TokenWish): Promise<NewTokenView> {
    return addToken(this.#parts, asker, wish);
  }

  tokens(asker: Asker): Promise<readonly TokenView[]> {
    return listTokens(this.#parts, asker);
  }

  revokeToken(asker: Asker, token: string): Promise<string> {
    return revokeToken(this.#parts, asker, token);
  }

  async force(asker: Asker, target: BuilderName, wish: ForceWish): Promise<RequestView> {
    const request = await forceBuild(this.#parts, asker, target, wish);
    const show = await this.#queued([request]);
    return show(request);
  }

  async parameters(asker: Asker, target: BuilderName): Promise<readonly ForceForm[]> {
    demand(asker, 'reader', 'see what a build may be told');
    return forceForms(this.#parts.configs.active, target);
  }

  async tryPatch(
    asker: Asker,
    targets: readonly BuilderName[],
    wish: BuildWish,
    patch: AsyncIterable<Uint8Array>,
  ): Promise<readonly RequestView[]> {
    const requests = await tryPatch(this.#parts, asker, targets, wish, patch);
    const show = await this.#queued(requests);
    return requests.map(show);
  }

  async rebuild(asker: Asker, name: string, wish: RebuildWish): Promise<readonly RequestView[]> {
    const requests = await rebuild(this.#parts, asker, name, wish);
    const show = await this.#queued(requests);
    return requests.map(show);
  }

  async sendChanges(asker: Asker, project: string, changes: readonly ChangeWish[]): Promise<readonly SentChange[]> {
    return await sendChanges(this.#parts, asker, project, changes);
  }

  async changes(asker: Asker, filter: ChangesWish): Promise<readonly ChangeView[]> {
    demand(asker, 'reader', 'list changes');
    return await listChanges(this.#parts.store, filter);
  }

  async sources(asker: Asker): Promise<readonly SourceView[]> {
    demand(asker, 'developer', 'see what is polled');
    return await this.#parts.sourcePolls.list();
  }

  async poll(asker: Asker, project: string): Promise<PolledView> {
    return await pollSource(this.#parts, asker, project);
  }

  schedulers(asker: Asker, project: string | undefined): Promise<readonly SchedulerView[]> {
    return listSchedulers(this.#parts, asker, project);
  }

  switchScheduler(asker: Asker, name: string, wish: SwitchWish): Promise<{ readonly dropped: number }> {
    return switchScheduler(this.#parts, asker, name, wish);
  }

  /** Has new requests looked at; resolves to what shows them with the reasons from before that. */
  async #queued(requests: readonly BuildRequest[]): Promise<(request: BuildRequest) => RequestView> {
    const { bus, distributor } = this.#parts;
    const reasons = await distributor.reasons();
    for (const { id } of requests) bus.publish('requests', id);
    return (request) => requestView(request, reasons.get(request.id) ?? BEING_STARTED);
  }

  async *watch(asker: Asker, id: number, signal: AbortSignal): AsyncGenerator<ForceProgress> {
    demand(asker, 'reader', 'watch a request');
    const { distributor } = this.#parts;
    yield* watchRequest({ ...this.#parts, reasons: () => distributor.reasons() }, id, signal);
  }

  async stop(asker: Asker, name: string, reason: string): Promise<void> {
    await stopBuild(this.#parts, asker, name, reason);
  }

  approveBuild(asker: Asker, name: string, revision: string | undefined): Promise<ApprovalView> {
    return approveBuild(this.#parts, asker, name, revision);
  }

  async addWorker(asker: Asker, name: string, keys: readonly PublicKey[]): Promise<void> {
    const { people } = this.#parts;
    await audited(this.#parts, asker, { action: 'add a worker', target: name, role: 'operator' }, async () => {
      if (!isName(name)) throw new OperatorError('usage', `"${shown(name)}" cannot be a worker's name: ${NAME_RULE}`);
      await people.addWorker(name, keys);
    });
  }

  async revokeWorker(asker: Asker, name: string): Promise<void> {
    const { people } = this.#parts;
    await audited(this.#parts, asker, { action: 'revoke a worker', target: name, role: 'operator' }, () =>
      people.revokeWorker(name),
    );
  }

  rotateKeys(asker: Asker, name: string | undefined): Promise<readonly KeyRotation[]> {
    const action = { action: "rotate workers' keys", target: name ?? '--all', role: 'operator' } as const;
    return audited(this.#parts, asker, action, () => rotateKeys(this.#parts, name));
  }

  nextHostKey(asker: Asker): Promise<{ readonly fingerprint: string }> {
    const action = { action: 'make the next host key', target: 'host_key.next', role: 'operator' } as const;
    return audited(this.#parts, asker, action, async () => {
      const { fingerprint } = await this.#parts.hostKeys.makeNext();
      return { fingerprint };
    });
  }

  async hostKeyStatus(asker: Asker): Promise<HostKeyStatus> {
    demand(asker, 'operator', 'see who knows the host keys');
    return await hostKeyStatus(this.#parts);
  }

  useHostKey(
    asker: Asker,
    force: boolean,
  ): Promise<{ readonly fingerprint: string; readonly without: readonly string[] }> {
    const action = {
      action: 'use the next host key',
      target: 'host_key',
      detail: { force },
      role: 'operator',
    } as const;
    return audited(this.#parts, asker, action, () => useHostKey(this.#parts, force));
  }

  async inviteWorker(asker: Asker, name: string, wish: InviteWish): Promise<InviteView> {
    return await inviteWorker(this.#parts, asker, name, wish);
  }

  async invitations(asker: Asker): Promise<readonly InvitationView[]> {
    return await listInvitations(this.#parts, asker);
  }

  async uninviteWorker(asker: Asker, name: string): Promise<void> {
    await uninviteWorker(this.#parts, asker, name);
  }

  async knocks(asker: Asker): Promise<readonly KnockView[]> {
    return await listKnocks(this.#parts, asker);
  }

  async approveWorker(asker: Asker, name: string, key: string | undefined): Promise<string> {
    return await approveWorker(this.#parts, asker, name, key);
  }

  async holdWorker(asker: Asker, name: string, wish: HoldWish): Promise<void> {
    await holdWorker(this.#parts, asker, name, wish);
  }

  async untilDrained(asker: Asker, name: string, signal: AbortSignal): Promise<boolean> {
    demand(asker, 'reader', 'wait for a worker');
    return await untilDrained(this.#parts, name, signal);
  }

  async reload(asker: Asker): Promise<ReloadView> {
    const { configs, desk, distributor, schedulers, people, troubles, sender, sourcePolls } = this.#parts;
    const reloaded = await audited(
      this.#parts,
      asker,
      { action: 'reload the configuration', target: configs.active.hash, role: 'operator' },
      async () => {
        try {
          return await configs.reload();
        } catch (error) {
          if (!(error instanceof UserMistake)) throw error;
          throw new OperatorError('usage', `${error.message}; nothing was changed`, { cause: error });
        }
      },
    );
    desk.hasten(configs.active.heartbeatMs);
    distributor.wake();
    schedulers.wake();
    troubles.look();
    sender.look();
    sourcePolls.look();
    const known = new Set(people.list().map(({ name }) => name));
    return { ...reloaded, warnings: unknownInAccess(configs.active.projects, known) };
  }

  async announceAbsence(
    asker: Asker,
    absenceMs: number,
  ): Promise<{ readonly silent: readonly string[]; readonly away: readonly string[] }> {
    const { desk, store } = this.#parts;
    const action = {
      action: 'announce an absence',
      target: 'workers',
      detail: { absenceMs },
      role: 'operator',
    } as const;
    return await audited(this.#parts, asker, action, async () => {
      if (!Number.isSafeInteger(absenceMs) || absenceMs < 1 || absenceMs > LONGEST_ABSENCE_MS) {
        throw new OperatorError(
          'usage',
          `an absence lasts up to ${showDuration(LONGEST_ABSENCE_MS)}: announce a shorter one`,
        );
      }
      const told = desk.connected();
      const holding = await desk.raiseLeases(leaseForAbsence(absenceMs));
      const busy = new Set((await store.builds.running()).map((build) => build.worker));
      const seen = new Set([...told, ...desk.connected()]);
      const others = [...busy].filter((worker) => !holding.has(worker));
      return {
        silent: others.filter((worker) => seen.has(worker)),
        away: others.filter((worker) => !seen.has(worker)),
      };
    });
  }

  async #waiting(): Promise<readonly RequestView[]> {
    const waiting = await waitingRequests(this.#parts);
    return waiting.slice(0, WAITING_MAX).map(({ request, waitsFor }) => requestView(request, waitsFor));
  }
}
