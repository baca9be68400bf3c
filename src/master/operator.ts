import type { Json, JsonObject } from '../model/json.ts';
import type { PublicKey, Role } from '../model/principal.ts';
import type { Result } from '../model/result.ts';
import type { HoldKind } from '../model/worker.ts';
import type { AuditEntry } from '../store/store.ts';
import type { Vitals } from '../transport/link.ts';
import type { WorkerConnection } from './link/reception.ts';

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

/** The documented, stable JSON of `build --json`; `docs/operating.md` describes it. Times are UTC ms. */
export interface BuildView {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly number: number;
  /** The request it was made for. */
  readonly request: number;
  /** Its request had an earlier build, whose result was `retry`. */
  readonly retryOf: number | null;
  /** Its result was `retry`, and this build was made in its place. */
  readonly retriedAs: number | null;
  readonly state: 'running' | 'finished';
  readonly result: Result | null;
  readonly summary: string | null;
  readonly worker: string;
  /** Of a running build whose worker is out of sight: since when, and when it is retried elsewhere; null: it waits. */
  readonly workerAway: { readonly sinceMs: number; readonly retryAtMs: number | null } | null;
  /** Why commands of its worker wait in the middle of their output; null when none does, or the build has ended. */
  readonly heldBack: string | null;
  readonly reason: string;
  readonly owner: string;
  readonly branch: string | null;
  readonly revision: string | null;
  /** A try build: the patch on top of the revision. */
  readonly patch: { readonly sha256: string; readonly bytes: number } | null;
  /** What it was made for, oldest first; empty when somebody asked for it. */
  readonly changes: readonly {
    readonly id: number;
    readonly branch: string;
    readonly revision: string;
    readonly author: string | null;
    /** The first line of its comments. */
    readonly subject: string;
    readonly sentBy: string;
  }[];
  /** The authors of its changes. */
  readonly blame: readonly string[];
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
  readonly steps: readonly StepView[];
  readonly properties: readonly { readonly name: string; readonly value: Json; readonly source: string }[];
}

export interface StepView {
  readonly name: string;
  readonly state: 'pending' | 'running' | 'finished';
  readonly result: Result | null;
  readonly summary: string | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly logs: readonly {
    readonly id: number;
    readonly name: string;
    readonly length: number;
    readonly isComplete: boolean;
  }[];
}

export interface WorkerView {
  readonly name: string;
  readonly state: 'connected' | 'disconnected' | 'never seen';
  readonly sinceMs: number | null;
  readonly host: string | null;
  readonly version: string | null;
  readonly builds: readonly number[];
  readonly maxBuilds: number;
  readonly isConfigured: boolean;
  /** As the configuration names it. */
  readonly owner: string | null;
  /** An operator's word that it is given no builds; null when there is none. */
  readonly hold: {
    readonly kind: HoldKind;
    readonly by: string;
    readonly sinceMs: number;
    readonly reason: string | null;
  } | null;
  /** Why it is given no builds, for people: the hold, or its own wish to leave; null when it is given some. */
  readonly held: string | null;
  /** Why commands there wait in the middle of their output; null when none does. */
  readonly heldBack: string | null;
  readonly facts: Readonly<Record<string, string>>;
}

/** What `worker show` tells of a worker beside what `workers` does. */
export interface WorkerPage extends WorkerView {
  /** What it told of itself last; null when it is not here. */
  readonly vitals: Vitals | null;
  readonly connection: WorkerConnection | null;
  /** Newest first. */
  readonly lastBuilds: readonly {
    readonly id: number;
    readonly project: string;
    readonly builder: string;
    readonly number: number;
    readonly state: 'running' | 'finished';
    readonly result: Result | null;
    readonly startedAtMs: number;
    readonly finishedAtMs: number | null;
  }[];
  /** Null for those who are no operators. */
  readonly keys: readonly { readonly fingerprint: string; readonly comment: string }[] | null;
}

export interface InviteWish {
  /** A duration like `30m`; an hour when absent. */
  readonly expires?: string;
  /** `HOST[:PORT]` by which the new machine reaches the master; the address by which the asker came when absent. */
  readonly host?: string;
  readonly arrivedAt: { readonly host: string; readonly port: number };
  /** The worker is admitted already, and is given one key more. */
  readonly isAgain?: boolean;
}

/** A new invitation. `line` holds the code: it is a secret until it was used. */
export interface InviteView {
  readonly worker: string;
  readonly line: string;
  readonly expiresAtMs: number;
  /** `HOST:PORT` that the line connects to. */
  readonly master: string;
  readonly isConfigured: boolean;
}

export interface InvitationView {
  readonly worker: string;
  readonly invitedBy: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
  readonly isAgain: boolean;
}

export interface KnockView {
  readonly name: string;
  /** `SHA256:…` of the key. */
  readonly fingerprint: string;
  readonly address: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}

export interface RequestView {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly owner: string;
  readonly submittedAtMs: number;
  /** Its newest build, whose result was `retry`; null when it has had none. */
  readonly retryOf: number | null;
  /** Why it waits, for a person. */
  readonly waitsFor: string;
}

/** The documented, stable JSON of `queue --json`. */
export interface QueuedView extends RequestView {
  /** From 1; the farm's, whoever asks. */
  readonly position: number;
  readonly priority: number;
  readonly ageMs: number;
  readonly branch: string | null;
  readonly revision: string | null;
}

export interface Cause {
  readonly code:
    /** A request: what it waits for; one of its builds is retried; others go first. */
    | 'queue'
    | 'retry'
    | 'behind'
    /** A running build: what holds it up, what it does, when that is ended. */
    | 'worker-away'
    | 'held-back'
    | 'stopping'
    | 'step'
    | 'limit'
    | 'between-steps'
    | 'ended';
  /** A sentence for people. */
  readonly text: string;
}

/** The documented, stable JSON of `why --json`. */
export interface WhyView {
  readonly request: number;
  readonly build: number | null;
  readonly project: string;
  readonly builder: string;
  readonly state: 'waiting' | 'running' | 'ended';
  readonly causes: readonly Cause[];
}

export interface StatusView {
  readonly title: string;
  readonly configHash: string;
  readonly running: readonly BuildView[];
  readonly waiting: readonly RequestView[];
  readonly workers: { readonly connected: number; readonly configured: number };
}

export interface BuildsWish {
  readonly project?: string;
  readonly builder?: string;
  /** Builds of these projects are left out. */
  readonly without?: readonly string[];
  readonly limit: number;
}

/** A change as somebody tells of it; `key` tells it from others if branch and revision do not. */
export interface ChangeWish {
  readonly branch: string;
  readonly revision: string;
  readonly author?: string;
  readonly comments?: string;
  readonly files?: readonly string[];
  readonly category?: string;
  readonly properties?: JsonObject;
  readonly key?: string;
}

export interface SentChange {
  readonly id: number;
  readonly branch: string;
  readonly revision: string;
  /** False: it was known already, and nothing was done. */
  readonly isNew: boolean;
  /** Those that were made for it, now or when it came first. */
  readonly requests: readonly number[];
}

export interface ChangesWish {
  readonly project?: string;
  /** Changes of these projects are left out. */
  readonly without?: readonly string[];
  readonly limit: number;
}

/** The documented, stable JSON of `changes --json`. */
export interface ChangeView {
  readonly id: number;
  readonly project: string;
  readonly repository: string;
  readonly branch: string;
  readonly revision: string;
  readonly author: string | null;
  readonly comments: string;
  readonly files: readonly string[];
  /** So many more files whose names are not kept. */
  readonly filesLeftOut: number;
  readonly category: string | null;
  readonly properties: JsonObject;
  readonly atMs: number;
  readonly sentBy: string;
}

export interface ReloadView {
  readonly hash: string;
  readonly differences: readonly string[];
  /** What is not wrong, but may be a mistake. */
  readonly warnings: readonly string[];
}

/** What became of a worker's key that was to be another one. */
export interface KeyRotation {
  readonly worker: string;
  readonly outcome: 'rotated' | 'refused' | 'away' | 'too old' | 'no answer';
  /** Of the key that it has now; null when it has none. */
  readonly fingerprint: string | null;
  /** For a person. */
  readonly message: string;
}

/** A link that signs one browser in, once. */
export interface LoginView {
  readonly url: string;
  readonly expiresAtMs: number;
}

export interface TokenView {
  readonly id: string;
  readonly who: string;
  readonly label: string;
  /** The most it may; never more than its person. */
  readonly role: Exclude<Role, 'worker'>;
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
}

/** The only time that the token itself is told. */
export interface NewTokenView extends TokenView {
  readonly token: string;
}

export interface TokenWish {
  readonly label: string;
  /** Up to the asker's own; `reader` if nothing is said. */
  readonly role?: string;
  /** A duration, `90d` if nothing is said. */
  readonly expires?: string;
}

/** A worker, and whether it has said that it trusts the next host key (without one: the current one). */
export interface HostKeyWorker {
  readonly worker: string;
  readonly knows: boolean;
  readonly why: 'never seen' | 'away' | 'too old' | 'not yet' | null;
}

/** The master's host keys (fingerprints), and who knows them. */
export interface HostKeyStatus {
  readonly current: string;
  readonly next: string | null;
  /** The next one as a public key line. */
  readonly nextKey: string | null;
  readonly retired: readonly string[];
  readonly workers: readonly HostKeyWorker[];
}

export type ForceProgress =
  | { readonly kind: 'queued'; readonly request: RequestView }
  | { readonly kind: 'waits'; readonly reason: string }
  | { readonly kind: 'build'; readonly build: BuildView }
  /** It was taken out of the queue: no build of it is to come. */
  | { readonly kind: 'ended' };

/** What is to become of a worker. `retire-now` does not wait for its builds. */
export interface HoldWish {
  readonly to: 'pause' | 'resume' | 'drain' | 'retire' | 'retire-now';
  readonly reason?: string;
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
  builds(asker: Asker, filter: BuildsWish): Promise<readonly BuildView[]>;
  build(asker: Asker, name: string): Promise<BuildView>;
  /** All that waits, in its order. */
  queue(asker: Asker): Promise<readonly QueuedView[]>;
  /** Why a build, `request:ID`, or each of what waits and runs of `PROJECT/BUILDER` is where it is. */
  why(asker: Asker, name: string): Promise<readonly WhyView[]>;
  workers(asker: Asker): Promise<readonly WorkerView[]>;
  worker(asker: Asker, name: string): Promise<WorkerPage>;
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
  revokeToken(asker: Asker, id: string): Promise<void>;
  /** Developer. Asks for one build. */
  force(
    asker: Asker,
    target: { readonly project: string; readonly builder: string },
    options: {
      readonly branch?: string;
      readonly revision?: string;
      readonly properties: JsonObject;
      readonly reason?: string;
    },
  ): Promise<RequestView>;
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
  /** Developer. Tells of changes of a project, in their order; what is known already changes nothing. */
  sendChanges(asker: Asker, project: string, changes: readonly ChangeWish[]): Promise<readonly SentChange[]>;
  /** Reader. The newest first. */
  changes(asker: Asker, filter: ChangesWish): Promise<readonly ChangeView[]>;
  /** Reader. What becomes of a request: each change once, from build to build while it is retried, to its end. */
  watch(asker: Asker, requestId: number, signal: AbortSignal): AsyncIterable<ForceProgress>;
  /** Developer. Stops a build (or a waiting request by `request:ID`). */
  stop(asker: Asker, name: string, reason: string): Promise<void>;
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
