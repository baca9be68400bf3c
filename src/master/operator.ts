import type { JsonObject } from '../model/json.ts';
import type { PublicKey, Role } from '../model/principal.ts';
import type { AuditEntry } from '../store/store.ts';
import type { BuilderView, BuildersWish } from './views/builder.ts';
import type { BuildView, BuildsWish } from './views/build.ts';
import type { ChangeView, ChangeWish, ChangesWish, SentChange } from './views/change.ts';
import type { LockView } from './views/lock.ts';
import type { HostKeyStatus, ReloadView, StatusView } from './views/master.ts';
import type { OutboxView } from './views/outbox.ts';
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
import type { ArtifactView } from './views/artifact.ts';
import type { TestsOfBuildWish, TestsView } from './views/tests.ts';
import type { SchedulerView, SwitchWish } from './views/scheduler.ts';
import type {
  HoldWish,
  InvitationView,
  InviteView,
  InviteWish,
  KeyRotation,
  KnockView,
  WorkerPage,
  WorkerView,
} from './views/worker.ts';

/** Who asks. The master's own console (its control socket) asks as role operator. */
export interface Asker {
  readonly name: string;
  readonly role: Role;
}

export type OperatorErrorCode = 'usage' | 'not-found' | 'forbidden' | 'conflict' | 'unavailable';

/** Told to the asker in one line: what is wrong, with what, and what to do. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code: OperatorErrorCode;

  constructor(code: OperatorErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The verbs that people may use, each with the role it needs; the front door, and later the web, only translate. Each throws
 * an `OperatorError`. A build is named by its id, or `project/builder#number`; a step by its name or index from 0.
 *
 * A NEW VERB needs three things: a method here, its work in `master-operator.ts` (which knows roles, and nothing of projects),
 * and a row in `operator-scope.ts`, which keeps it within the projects of whoever asks: without one it does not compile.
 * A verb of the front door also needs its row in `docs/access.md` and its trial in `test/unit/frontdoor/access.test.ts`.
 * What it says of builds and requests goes through `sight`; what names none is `ofTheFarm`.
 */
export interface Operator {
  /** Anyone. Notes in the audit log that a control action was refused before it came to its own method. */
  noteRefusal(
    asker: Asker,
    refusal: { readonly action: string; readonly target: string; readonly why: string },
  ): Promise<void>;
  /** Reader. */
  status(asker: Asker): Promise<StatusView>;
  /** In the order of the configuration; of one project, or of all, and those that have all of some tags. */
  builders(asker: Asker, wish: BuildersWish): Promise<readonly BuilderView[]>;
  builds(asker: Asker, filter: BuildsWish): Promise<readonly BuildView[]>;
  build(asker: Asker, name: string): Promise<BuildView>;
  /** What the tests of a build did. */
  tests(asker: Asker, build: string, wish: TestsOfBuildWish): Promise<TestsView>;
  /** All that waits, in its order. */
  queue(asker: Asker): Promise<readonly QueuedView[]>;
  /** Why a build, `request:ID`, or each of what waits and runs of `PROJECT/BUILDER` is where it is. */
  why(asker: Asker, name: string): Promise<readonly WhyView[]>;
  /** All locks by name, or the one of this name. */
  locks(asker: Asker, name?: string): Promise<readonly LockView[]>;
  workers(asker: Asker): Promise<readonly WorkerView[]>;
  worker(asker: Asker, name: string): Promise<WorkerPage>;
  /** What a build has kept, by name. */
  artifacts(asker: Asker, build: string): Promise<readonly ArtifactView[]>;
  /** The bytes of an artifact. */
  artifact(asker: Asker, build: string, name: string): AsyncIterable<Uint8Array>;
  /** The bytes of a step's log from an offset; with `follow` goes on until the log is complete or `signal` is aborted. */
  log(
    asker: Asker,
    build: string,
    step: string,
    options: { readonly log?: string; readonly from: number; readonly follow: boolean; readonly signal?: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /** Reader. Makes a link for a browser of the asker. */
  login(asker: Asker): Promise<LoginView>;
  /** Reader. What a program of the asker's shows to the web's API. */
  addToken(asker: Asker, wish: TokenWish): Promise<NewTokenView>;
  /** The asker's own; an operator is told of all. */
  tokens(asker: Asker): Promise<readonly TokenView[]>;
  revokeToken(asker: Asker, token: string): Promise<string>;
  /** Developer. Asks for one build. */
  force(
    asker: Asker,
    target: { readonly project: string; readonly builder: string },
    wish: ForceWish,
  ): Promise<RequestView>;
  /** Reader. What may, or must, be said to force a build. */
  parameters(
    asker: Asker,
    target: { readonly project: string; readonly builder: string },
  ): Promise<readonly ForceForm[]>;
  /**
   * Developer. Asks for a build by each of some builders of a project, of a revision with a patch on top. The patch is read
   * when all else is in order.
   */
  tryPatch(
    asker: Asker,
    targets: readonly { readonly project: string; readonly builder: string }[],
    options: {
      readonly branch?: string;
      readonly revision?: string;
      readonly properties: JsonObject;
      readonly reason?: string;
    },
    patch: AsyncIterable<Uint8Array>,
  ): Promise<readonly RequestView[]>;
  /** Developer. Asks for a build again. */
  rebuild(asker: Asker, name: string, wish: RebuildWish): Promise<readonly RequestView[]>;
  /** Developer. Tells of changes of a project, in their order; what is known already changes nothing. */
  sendChanges(asker: Asker, project: string, changes: readonly ChangeWish[]): Promise<readonly SentChange[]>;
  /** Reader. The newest first. */
  changes(asker: Asker, filter: ChangesWish): Promise<readonly ChangeView[]>;
  /** Developer. The repositories that are polled. */
  sources(asker: Asker): Promise<readonly SourceView[]>;
  /** Polls the source of a project now; resolves when that is done. */
  poll(asker: Asker, project: string): Promise<PolledView>;
  /** Reader. Of one project, or of all. */
  schedulers(asker: Asker, project: string | undefined): Promise<readonly SchedulerView[]>;
  /** Developer. Switches `PROJECT/NAME` off or on; resolves to how many changes wait for it no more. */
  switchScheduler(asker: Asker, name: string, wish: SwitchWish): Promise<{ readonly dropped: number }>;
  /** Reader. What becomes of a request: each change once, from build to build while it is retried, to its end. */
  watch(asker: Asker, requestId: number, signal: AbortSignal): AsyncIterable<ForceProgress>;
  /** Developer. Stops a build (or a waiting request by `request:ID`). */
  stop(asker: Asker, name: string, reason: string): Promise<void>;
  /** Developer. Lets the builds of one revision of a fork go, which `request:ID` is of, or `PROJECT#N` with the revision. */
  approveBuild(asker: Asker, name: string, revision: string | undefined): Promise<ApprovalView>;
  /** Operator. */
  addWorker(asker: Asker, name: string, keys: readonly PublicKey[]): Promise<void>;
  revokeWorker(asker: Asker, name: string): Promise<void>;
  /** Makes a one-time code for a machine that is to be this worker; the line that it takes is told here alone. */
  inviteWorker(asker: Asker, name: string, wish: InviteWish): Promise<InviteView>;
  /** Those that are open. */
  invitations(asker: Asker): Promise<readonly InvitationView[]>;
  uninviteWorker(asker: Asker, name: string): Promise<void>;
  /** Keys that came under names which are nobody's, newest first. */
  knocks(asker: Asker): Promise<readonly KnockView[]>;
  /** Admits the key that knocked under this name: the one of the fingerprint when there are several. Resolves to its fingerprint. */
  approveWorker(asker: Asker, name: string, key: string | undefined): Promise<string>;
  /** A worker, or all of them, makes a new key and comes back with it. */
  rotateKeys(asker: Asker, name: string | undefined): Promise<readonly KeyRotation[]>;
  /** Makes the next host key and tells it to the workers. */
  nextHostKey(asker: Asker): Promise<{ readonly fingerprint: string }>;
  hostKeyStatus(asker: Asker): Promise<HostKeyStatus>;
  /** Shows the next host key to new connections; refuses while workers do not know it, unless forced: then they are `without`. */
  useHostKey(
    asker: Asker,
    force: boolean,
  ): Promise<{ readonly fingerprint: string; readonly without: readonly string[] }>;
  /** Operator. The newest control actions first, at most `limit`. */
  audit(asker: Asker, limit: number): Promise<readonly AuditEntry[]>;
  /** What reporters are to send and have sent, newest first, at most 1,000. */
  outbox(asker: Asker): Promise<readonly OutboxView[]>;
  /** Has a message tried again that waits or was given up. */
  retryMessage(asker: Asker, id: number): Promise<void>;
  dropMessage(asker: Asker, id: number): Promise<void>;
  /** Gives a worker no more builds, or some again; again the same does nothing. */
  holdWorker(asker: Asker, name: string, wish: HoldWish): Promise<void>;
  /** Reader. Resolves true when a worker that is being drained is so, false when it is not being drained (any more). */
  untilDrained(asker: Asker, name: string, signal: AbortSignal): Promise<boolean>;
  reload(asker: Asker): Promise<ReloadView>;
  /**
   * The master is about to stop for so long: workers are told to hold their builds until then. Resolves to those with builds
   * that did not say that they will, and to those that are not here to be told.
   */
  announceAbsence(
    asker: Asker,
    absenceMs: number,
  ): Promise<{ readonly silent: readonly string[]; readonly away: readonly string[] }>;
}
