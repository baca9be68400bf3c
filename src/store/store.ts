import type { BuilderStore } from './builder-store.ts';
import type { AccessByProject } from '../model/access.ts';
import type { Build, Property, Step } from '../model/build.ts';
import type { BuildRequest, Parent, RequestCause } from '../model/build-request.ts';
import type { Change } from '../model/change.ts';
import type { CommandRecord } from '../model/command.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { LockAccess, LockClaim, LockOwner, LockTake, LockWait } from '../model/lock.ts';
import type { Log, LogChunk } from '../model/log.ts';
import type { NewMessage, OutboxMessage } from '../model/outbox.ts';
import type { Invitation } from '../model/invitation.ts';
import type { Pass } from '../model/pass.ts';
import type { Principal, PublicKey } from '../model/principal.ts';
import type { RequestRule } from '../model/request-rules.ts';
import type { Result } from '../model/result.ts';
import type { RetryRules } from '../model/retry.ts';
import type { PendingChanges, SchedulerName, SchedulerRecord, SwitchedOff } from '../model/scheduler.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { Trouble } from '../model/trouble.ts';
import type { RetentionStore } from './retention-store.ts';
import type { BuildEnvStore } from './build-env-store.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { StepLinkStore } from './step-links-store.ts';
import type { TestResultStore } from './test-result-store.ts';
import type { HoldKind, Seat, WorkerHold, WorkerRecord } from '../model/worker.ts';

/**
 * Everything the master keeps. A write resolves after COMMIT (many share one transaction, each in its own savepoint); a
 * read is served by a second connection and sees committed rows only. A write that names a row that is not there, or a
 * claim that lost, rejects with a `StoreError` and undoes itself alone.
 */
export interface Store {
  readonly configs: ConfigStore;
  readonly principals: PrincipalStore;
  readonly passes: PassStore;
  readonly invitations: InvitationStore;
  readonly workers: WorkerStore;
  readonly requests: RequestStore;
  readonly changes: ChangeStore;
  readonly approvals: ApprovalStore;
  readonly hookDeliveries: HookDeliveryStore;
  readonly schedulers: SchedulerStore;
  readonly builders: BuilderStore;
  readonly builds: BuildStore;
  readonly commands: CommandStore;
  readonly locks: LockStore;
  readonly logs: LogStore;
  readonly tests: TestResultStore;
  readonly audit: AuditStore;
  readonly hostKeys: HostKeyStore;
  readonly troubles: TroubleStore;
  readonly sources: SourceStore;
  readonly buildEnvs: BuildEnvStore;
  readonly stepLinks: StepLinkStore;
  readonly artifacts: ArtifactStore;
  readonly outbox: OutboxStore;
  readonly retention: RetentionStore;
  /** A name made once for this database: the master's id in `welcome`. */
  masterId(): Promise<string>;
  /** The writes that `begin` begins, before it awaits anything, are committed at once: no kill comes between them. */
  together<T>(begin: () => T): T;
  /** Told after the commit; who was not told at a kill finds the same in the rows. */
  onAside(listener: (aside: Aside) => void): () => void;
  close(): Promise<void>;
}

/** What a write has changed beside the rows that it was asked for. */
export type Aside =
  | { readonly kind: 'ended'; readonly requestId: number }
  /** The build is running, and somebody is to see to its end. */
  | { readonly kind: 'stopping'; readonly buildId: number; readonly reason: string };

export interface ConfigStore {
  /** Stores a bundle under its hash; does nothing when it is there. */
  put(config: { readonly hash: string; readonly bundle: Uint8Array; readonly atMs: number }): Promise<void>;
  /** Makes it the one that new builds are made from, and keeps who may what of the projects, and its rules, with it. */
  activate(hash: string, access: AccessByProject, rules?: readonly RequestRule[]): Promise<void>;
  /** As it was kept with the last activation. */
  access(): Promise<AccessByProject>;
  active(): Promise<string | undefined>;
  bundle(hash: string): Promise<Uint8Array | undefined>;
}

export interface PrincipalStore {
  list(): Promise<readonly Principal[]>;
  /** Adds or replaces by name. */
  put(principal: Principal): Promise<void>;
  /** Leaves a tombstone; an open invitation of the name goes with it. */
  revoke(name: string, atMs: number): Promise<void>;
  /** Removes the row itself (a key file that is gone, a tombstone that is lifted). */
  remove(name: string): Promise<void>;
}

/** A worker that was let in. */
export interface Arrival extends Pick<
  WorkerRecord,
  'name' | 'installId' | 'bootId' | 'processId' | 'host' | 'version' | 'facts'
> {
  /** It leaves after so many builds of this term. */
  readonly term?: { readonly id: string; readonly builds: number };
  /** It was here before in this master's life: that it comes again is its own doing, or its line's. */
  readonly isAgain?: boolean;
}

export interface PassStore {
  find(id: string): Promise<Pass | undefined>;
  /** All, the oldest first. */
  list(): Promise<readonly Pass[]>;
  add(pass: Pass): Promise<void>;
  /** Puts one in the place of another, which can be done once: rejects with `not-found` when the other is gone. */
  exchange(id: string, pass: Pass): Promise<void>;
  /** Rejects with `not-found` when it is gone. */
  remove(id: string): Promise<void>;
  removeOf(who: string): Promise<void>;
  removeExpired(nowMs: number): Promise<void>;
}

export interface InvitationStore {
  /** By worker; also such as are not open any more, until the next one is added. */
  list(): Promise<readonly Invitation[]>;
  /** In the place of an earlier one of the worker. Rejects with `conflict` when too many are open. */
  add(invitation: Omit<Invitation, 'used'>): Promise<void>;
  /** Takes an open one back. */
  remove(worker: string): Promise<void>;
  /**
   * Uses an invitation up and admits the key, in one transaction; resolves to who had invited it. Rejects with `lost-claim` when
   * none is open with this hash, with `conflict` when the name is somebody else's by now, and the invitation stays open then.
   */
  enrol(by: {
    readonly codeHash: string;
    readonly key: PublicKey;
    /** Of the key, to be told later. */
    readonly fingerprint: string;
    readonly atMs: number;
    readonly maxKeys: number;
  }): Promise<string>;
}

export interface WorkerStore {
  list(): Promise<readonly WorkerRecord[]>;
  /** Those that are to be seen off when they have done their builds: for somebody, by their own wish, or since their term is over. */
  leaving(): Promise<readonly WorkerRecord[]>;
  find(name: string): Promise<WorkerRecord | undefined>;
  /**
   * A connection was accepted: stores who it is, resolves to the new epoch. When its installId is another than the stored one,
   * all started commands of the worker's running builds that nobody has seen count, in the same transaction, as seen by the
   * old install: it may have started them, so the new one must not. A new `processId` wishes anew whether it leaves, a new term
   * counts its builds from 0, and a retired name that is admitted again is held no more.
   */
  attach(worker: Arrival, atMs: number): Promise<number>;
  /** When workers came again since then that had not left in order, newest first; the last 100 of each are kept. */
  connections(sinceMs: number): Promise<readonly { readonly worker: string; readonly atMs: number }[]>;
  /** Marks it gone, unless a newer epoch is there. */
  detach(name: string, epoch: number, atMs: number): Promise<void>;
  /** Notes before it is told that the worker may hold its commands for so long out of sight; undefined: for no more than its builds say. */
  setLease(name: string, leaseMs: number | undefined): Promise<void>;
  /**
   * Holds a worker, or (undefined) lets it have builds again, when what holds it now is one of `from` (undefined among them:
   * nothing); also one that was never here. Resolves to what held it before; whether it was one of them is for the caller to see.
   */
  setHold(
    name: string,
    hold: WorkerHold | undefined,
    from: readonly (HoldKind | undefined)[],
  ): Promise<WorkerHold | undefined>;
  /**
   * Makes the hold of this kind `retired` and withdraws the worker's key, both or none of it. Resolves to false, with nothing
   * changed, when the worker is held otherwise by now.
   */
  retire(name: string, from: HoldKind, atMs: number): Promise<boolean>;
  /** The daemon's start wishes to leave; nothing when another one is connected by now. The first reason stays. */
  setLeaving(name: string, processId: string, reason: string, atMs: number): Promise<void>;
  /** A build could not be done there by the worker's own fault: it is set aside for `asideMs` of those in a row. */
  noteFault(name: string, reason: string, atMs: number): Promise<void>;
  /** One could; or an operator says that it may have builds again. */
  noteNoFault(name: string): Promise<void>;
  /** At start of a master nobody is connected. */
  detachAll(atMs: number): Promise<void>;
  seats(worker?: string): Promise<readonly Seat[]>;
  seat(session: string): Promise<Seat | undefined>;
  /** Takes a seat's name out of use (idle for long). */
  removeSeat(session: string): Promise<void>;
  /** +1 on a seat's fence, at a take-over, and in any case to more than `above`; resolves to the new fence. */
  raiseFence(session: string, above?: number): Promise<number>;
}

export interface NewBuildSet {
  /** The name of the scheduler that makes it, in the project of its builders; absent: none does. */
  readonly scheduler?: string;
  readonly reason: string;
  readonly owner: string;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
  /** Of those whose source is not `request`. */
  readonly propertySources?: Readonly<Record<string, string>>;
  /** Of one that its parent waits for the parent's counts instead. */
  readonly priority: number;
  readonly builders: readonly { readonly project: string; readonly builder: string }[];
  readonly atMs: number;
  /** `key` names the call: the parent has one build set a key. */
  readonly parent?: Parent & { readonly key: string };
  /** Only this one of the builders' workers. */
  readonly worker?: string;
  /** A build of the same source: what that was made for, this is. */
  readonly changesOf?: number;
  /** The build that somebody wanted again. */
  readonly rebuiltOf?: number;
  /** What whoever asked calls it elsewhere. */
  readonly externalId?: string;
}

export interface Claim {
  readonly requestId: number;
  readonly worker: string;
  readonly configHash: string;
  readonly stepNames: readonly string[];
  /** The build is to be checked before it starts: it has no number yet, and is not among the builds that are listed. */
  readonly isCheck?: boolean;
  /** Joined into the build's properties with their sources. */
  readonly properties: readonly Property[];
  /** What the build holds to its end. */
  readonly locks?: readonly LockTake[];
  readonly atMs: number;
}

export interface WaitingRequest extends BuildRequest {
  /** Its newest build: that of a waiting request was retried. */
  readonly buildId?: number;
}

/** A request with what became of it. */
export interface KnownRequest extends WaitingRequest {
  /** claimed: its newest build runs. */
  readonly state: 'pending' | 'claimed' | 'finished';
  /** Of a finished one. */
  readonly result?: Result;
  /** For people: why it ended, if no build of its own says so. */
  readonly summary?: string;
}

export interface RequestStore {
  /** One build set with a request per builder, in one transaction; resolves to the requests. */
  add(set: NewBuildSet): Promise<readonly BuildRequest[]>;
  /** All that wait, oldest first. */
  pending(): Promise<readonly WaitingRequest[]>;
  find(id: number): Promise<KnownRequest | undefined>;
  /** Those of them that there are, oldest first. */
  known(ids: readonly number[]): Promise<readonly KnownRequest[]>;
  /**
   * Adds the build sets that one call of a build asks for, all in one transaction; when the call is made again it finds them, and
   * adds none. Resolves to the ids of their requests, a list a set. Rejects with `lost-claim` when the build has ended.
   */
  trigger(
    sets: readonly (NewBuildSet & Required<Pick<NewBuildSet, 'parent'>>)[],
  ): Promise<readonly (readonly number[])[]>;
  /** The same of what such a call has added before; a list is empty when there is none of that key. */
  triggered(buildId: number, keys: readonly string[]): Promise<readonly (readonly number[])[]>;
  /** What a build asked for, oldest first. */
  childrenOf(buildId: number): Promise<readonly KnownRequest[]>;
  /** Ids of the patches that requests which have not ended want. */
  patchesInUse(): Promise<readonly string[]>;
  /**
   * Takes a pending request: makes the build (number = last of that builder + 1), its steps as pending, its properties
   * (those of the build set with source `request`, then the claim's), and its seat (lowest free one of that builder on that
   * worker, fence + 1), all in one transaction, and counts it in the worker's term. Rejects with code `lost-claim` when the
   * request is no longer pending, the worker is given no builds any more (it is held, leaves, or is set aside), or a lock has no
   * room for it.
   */
  claim(claim: Claim): Promise<Build>;
  /** Ends a pending request without a build. */
  cancel(id: number, reason: string, atMs: number): Promise<void>;
  /** The same with any result. Rejects with `lost-claim` when it waits no more. */
  end(id: number, end: RequestEnd, atMs: number): Promise<void>;
  /** Cancels what waits of a build set, and asks what runs of it to end; resolves to how many these are. */
  stopSet(buildSetId: number, reason: string, atMs: number): Promise<number>;
  /** The pending one that is to be given up first. */
  nextDeadline(): Promise<{ readonly id: number; readonly deadlineMs: number } | undefined>;
  /** All of a build set, oldest first; empty when there is no such set. */
  ofSet(buildSetId: number): Promise<readonly KnownRequest[]>;
  /** Pending ones of a builder among which a newer one may take an older one's place, oldest first; those without such are left out. */
  lanes(project: string, builder: string): Promise<readonly (readonly BuildRequest[])[]>;
  /** Builds the newer one in place of the older one. Resolves to false, with nothing changed, unless both wait in one lane. */
  collapse(older: number, newer: number, atMs: number): Promise<boolean>;
  /** Those that each of these requests is built in place of, for those that are. */
  collapsed(ids: readonly number[]): Promise<ReadonlyMap<number, readonly number[]>>;
  /** What pending requests wait for as their upstreams, by the id of who waits. */
  upstreams(): Promise<ReadonlyMap<number, readonly Upstream[]>>;
}

/** How a request ends that has no build to say it. */
export interface RequestEnd {
  readonly result: Result;
  readonly cause?: RequestCause;
  /** For people. */
  readonly summary: string;
}

/** A request that another one waits for. */
export interface Upstream extends Pick<BuildRequest, 'id' | 'project' | 'builder'> {
  readonly buildId?: number;
}

export interface ChangeStore {
  /**
   * Stores a change unless its project has one of that key, and with it what schedulers make of it, in one transaction: a change is
   * never stored without its builds, nor built twice. Those that are switched off make nothing of it. Resolves to what is there, to
   * the ids of its requests, and to the schedulers that it waits for.
   */
  add(
    change: Omit<Change, 'id'>,
    key: string,
    takers: readonly ChangeTaker[],
  ): Promise<{
    readonly change: Change;
    readonly isNew: boolean;
    readonly requests: readonly number[];
    readonly waitsFor: readonly string[];
  }>;
  /** The newest, at most 1,000; without those of the projects named in `without`. */
  list(filter: {
    readonly project?: string;
    readonly without?: readonly string[];
    readonly limit: number;
  }): Promise<readonly Change[]>;
  find(id: number): Promise<Change | undefined>;
  /**
   * What the changes of a project say of a revision, or of those that begin with these characters: whose fork it is of, when each
   * change of it says so; undefined: there is no change of it.
   */
  trustOf(project: string, revision: string): Promise<{ readonly untrustedOf?: string } | undefined>;
  /** Those that a request is made for, oldest first. */
  ofRequest(requestId: number): Promise<readonly Change[]>;
}

/** Who approved that a revision of a fork is built by a project. */
export interface ApprovalStore {
  /** The person, if anybody did. */
  find(project: string, revision: string): Promise<string | undefined>;
  /**
   * Approves this revision and no other, also for requests that are still to come; the first who did so stays. Resolves to the
   * ids of the requests that waited for it and do not any more.
   */
  approve(approval: {
    readonly project: string;
    readonly revision: string;
    readonly by: string;
    readonly atMs: number;
  }): Promise<readonly number[]>;
}

/** What forges have posted already: the newest of each project are kept, for a while. */
export interface HookDeliveryStore {
  /** One of these keys is there. */
  isKnown(project: string, keys: readonly string[]): Promise<boolean>;
  add(project: string, keys: readonly string[], atMs: number): Promise<void>;
}

/** What a scheduler makes of a change that has just come. */
export interface ChangeTaker {
  readonly scheduler: string;
  /** Built at once; absent: the change waits for the scheduler. */
  readonly set?: NewBuildSet;
  readonly isImportant: boolean;
  /** It waits also for a scheduler that is switched off. */
  readonly isKept?: boolean;
}

/** An occasion of a scheduler, and what comes of it. */
export interface Firing extends SchedulerName {
  /** What it was decided on: its timer, which goes off next at `nextAtMs`, or the end of a build set; absent: changes alone. */
  readonly timer?: { readonly atMs: number; readonly nextAtMs?: number };
  readonly follows?: number;
  /** The changes that wait for it on this branch; none is newer than `newestId`. They wait no more. */
  readonly changes?: { readonly branch: string; readonly newestId: number };
  /** Absent: nothing is built, the occasion is over all the same. */
  readonly set?: NewBuildSet;
  /** The set has the changes of the one that is followed. */
  readonly isSameSource?: boolean;
}

/** A build set that has ended, for whatever follows it. */
export interface EndedSet {
  readonly id: number;
  readonly source: SourceStamp;
  /** All its requests ended as success or warnings. */
  readonly isSuccess: boolean;
  /** What its first builder that checked the source out had (property `got_revision`). */
  readonly gotRevision?: string;
}

/**
 * What schedulers wait for, as rows: a firing and what it takes away are one transaction, so that each occasion comes about once at
 * most, however many loops and restarts there are.
 */
export interface SchedulerStore {
  list(): Promise<readonly SchedulerRecord[]>;
  pending(): Promise<readonly PendingChanges[]>;
  /** The wall clock was put back: what waits came no later than now. */
  pullBack(nowMs: number): Promise<void>;
  /**
   * Notes a rule and when the timer goes off by it, if the record is still as it was read. Under a new rule only build sets from
   * now on are followed, and only changes of `branch` go on waiting (absent: all).
   */
  settle(
    record: Required<Pick<SchedulerRecord, 'project' | 'scheduler' | 'rule'>> & Pick<SchedulerRecord, 'nextAtMs'>,
    was: Pick<SchedulerRecord, 'rule' | 'nextAtMs'> | undefined,
    branch?: string,
  ): Promise<void>;
  /** Ended sets of `upstream` that this one has not followed yet, oldest first, some at a time. */
  toFollow(follower: SchedulerName, upstream: SchedulerName): Promise<readonly EndedSet[]>;
  /** Resolves to the requests; rejects with `lost-claim` when what it was decided on is so no more. */
  fire(firing: Firing): Promise<readonly BuildRequest[]>;
  /** Switches it off, or (undefined) on; its timer begins anew. Resolves to how many changes wait for it no more. */
  switch(name: SchedulerName, off: SwitchedOff | undefined, dropsChanges: boolean): Promise<number>;
  /** It is gone from the configuration: all but its switch is forgotten. Resolves to how many changes waited for it. */
  forget(name: SchedulerName): Promise<number>;
  /** Id and time of its last build set. */
  lastSet(name: SchedulerName): Promise<{ readonly id: number; readonly atMs: number } | undefined>;
}

export interface BuildFilter {
  readonly project?: string;
  readonly builder?: string;
  readonly virtualBuilder?: string;
  readonly worker?: string;
  readonly state?: 'running' | 'finished';
  /** Builds of these projects are left out. */
  readonly without?: readonly string[];
  /** Newest first from below this id. */
  readonly before?: number;
  /** At most this many, at most 1,000. */
  readonly limit: number;
}

/** Builds by their ids; of a request that was retried the newest. */
export interface Rebuilds {
  readonly of?: number;
  /** Oldest first. */
  readonly as: readonly number[];
}

export interface BuildStore {
  find(id: number): Promise<Build | undefined>;
  findByNumber(project: string, builder: string, number: number): Promise<Build | undefined>;
  list(filter: BuildFilter): Promise<readonly Build[]>;
  running(): Promise<readonly Build[]>;
  /** When a build began last on each of these workers. */
  lastStarts(workers: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The worker of the newest build of each of these builders that has had one. */
  lastWorkers(
    builders: readonly Pick<Build, 'project' | 'builder'>[],
  ): Promise<readonly Pick<Build, 'project' | 'builder' | 'worker'>[]>;
  /** Notes that someone wants it stopped, and with it what it waits for; the first reason stays. False when it has ended already. */
  requestStop(id: number, reason: string, atMs: number): Promise<boolean>;
  /** Which build a build was wanted again of, and as which it was wanted again. */
  rebuilds(id: number): Promise<Rebuilds>;
  /** The build, the build that asked for it, and so on up, at most `limit` of them. */
  lineage(id: number, limit: number): Promise<readonly Pick<Build, 'id' | 'project' | 'builder'>[]>;
  /** Ids of all builds of a request, oldest first: each but the last was retried. Without one that is being checked. */
  ofRequest(requestId: number): Promise<readonly number[]>;
  /**
   * Ends the build, its request, and frees its seat and its locks, in one transaction. Does nothing when it has ended already. With a result
   * that `retry` allows another try for, the build is a `retry`, and the request waits again, with its age and priority, after
   * the pause; a build that was to be stopped is not tried again: instead of `retry` it is `cancelled`, with the reason for it. What
   * a build waits for ends with it: nothing is built for a build that is gone.
   */
  finish(id: number, result: Result, summary: string | undefined, atMs: number, retry?: RetryRules): Promise<void>;
  /**
   * The build that is being checked may start: it gets its number and begins now, and what the check asked is dropped. Resolves
   * to it; to undefined, with nothing changed, when someone wants it stopped.
   */
  passCheck(id: number, atMs: number): Promise<Build | undefined>;
  /**
   * The build that is being checked may not start: there was none, its request waits again where it was, its seat and locks are free,
   * all in one transaction. When someone wanted it stopped its request is cancelled instead.
   */
  giveBack(id: number, atMs: number): Promise<void>;
  steps(id: number): Promise<readonly Step[]>;
  startStep(id: number, index: number, atMs: number): Promise<void>;
  /** What it says of itself from now on. */
  describeStep(id: number, index: number, description: string): Promise<void>;
  /** Frees what the step held of locks, in the same transaction. A `description` takes the place of the one it had. */
  finishStep(
    id: number,
    index: number,
    result: Result,
    summary: string | undefined,
    atMs: number,
    words?: Pick<Step, 'description' | 'isHidden'>,
  ): Promise<void>;
  properties(id: number): Promise<readonly Property[]>;
  setProperty(id: number, property: Property): Promise<void>;
}

/** `none`: it has not asked, or has ended. */
export type StepLocks =
  { readonly kind: 'none' | 'waits' | 'granted' } | { readonly kind: 'refused'; readonly why: string };

/**
 * Who holds and who waits for locks. What an owner holds goes with its end, in one transaction: that of a step with
 * `builds.finishStep`, all of a build with `builds.finish`.
 */
export interface LockStore {
  /** The longest held first. */
  claims(): Promise<readonly LockClaim[]>;
  /** Steps that wait, the first to wait first. */
  waits(): Promise<readonly LockWait[]>;
  find(owner: Required<LockOwner>): Promise<StepLocks>;
  /** A step that runs waits from now on, unless it has waited already. Resolves to how it stands then. */
  wait(owner: Required<LockOwner>, accesses: readonly LockAccess[], atMs: number): Promise<StepLocks>;
  /**
   * Gives a step that waits all its locks. Rejects with `lost-claim` when it does not wait (any more), or there is no room for
   * one of them by what others hold now.
   */
  grant(owner: Required<LockOwner>, locks: readonly LockTake[], atMs: number): Promise<void>;
  /** Tells a step that waits that it will never have them. Rejects with `lost-claim` when it does not wait. */
  refuse(owner: Required<LockOwner>, why: string): Promise<void>;
}

export interface CommandStore {
  /** All records of a build, in the order they were made. */
  list(buildId: number): Promise<readonly CommandRecord[]>;
  /** Records a call before it is acted on; with a log of that name when it has output. */
  start(
    record: Omit<CommandRecord, 'state' | 'seenBy' | 'answer' | 'answeredAs'>,
    log?: { readonly name: string },
  ): Promise<Log | undefined>;
  find(id: string): Promise<CommandRecord | undefined>;
  /** The worker's install has claimed the command; the first one stays, a finished command is left as it is. */
  markSeen(id: string, installId: string): Promise<void>;
  /** Records an answer before it is delivered; gives it the step's next place in the order of answers, from 1. */
  finish(id: string, answer: Json): Promise<number>;
}

export interface LogStore {
  list(buildId: number): Promise<readonly Log[]>;
  find(logId: number): Promise<Log | undefined>;
  findByCommand(command: string): Promise<Log | undefined>;
  /** Where the last hole or cut of a log ends; 0 when it has none: from there on all is as it was written. */
  wholeFrom(logId: number): Promise<number>;
  /** What a log takes: the larger of a piece's bytes and their text's, summed, a hole or cut as `holeWeight`. */
  weigh(logId: number, holeWeight: number): Promise<number>;
  /**
   * Checks the body against length and lines (inflating off the main thread), stores the chunk and advances the log's
   * length, in the batch of the moment. The chunk must begin at the log's length: otherwise rejects with code `wrong-offset`,
   * whose `wanted` is the length. A body that is not what its head says rejects with `bad-chunk`. Calls for one log keep
   * their order, and need not wait for each other.
   */
  append(logId: number, chunk: LogChunk): Promise<void>;
  /** No more will come: seals what is left. */
  complete(logId: number, atMs: number): Promise<void>;
  /**
   * The log's bytes [from, to) inflated, in pieces of at most 256 KiB, clamped to what is stored; a hole comes as a line that
   * says how many bytes of the range are lost, a cut as its text. `return` on the iterator lets go at once.
   */
  read(logId: number, from: number, to: number): AsyncIterable<Uint8Array>;
}

/** Which of the master's host keys (fingerprints) each worker trusts, as it said last. */
export interface HostKeyStore {
  list(): Promise<ReadonlyMap<string, readonly string[]>>;
  put(worker: string, keys: readonly string[]): Promise<void>;
}

export interface TroubleStore {
  /** Those that last, oldest first. */
  open(): Promise<readonly Trouble[]>;
  /** Newest first, also those that are over. */
  ofWorker(worker: string, limit: number): Promise<readonly Trouble[]>;
  /**
   * Resolves to its id; undefined when the worker has an open one of this kind. What is to be told of it goes into the outbox in
   * the same transaction, so that it is told when it began, and only then; the same with its end.
   */
  begin(
    trouble: Omit<Trouble, 'id' | 'untilMs' | 'endText'>,
    atMs: number,
    messages: (id: number) => readonly NewMessage[],
  ): Promise<number | undefined>;
  /** Resolves to false when it is over already. */
  end(id: number, untilMs: number, endText: string, messages: readonly NewMessage[]): Promise<boolean>;
}

/** What came of the last poll of a repository. */
export interface SourceRecord {
  readonly url: string;
  readonly polledAtMs: number;
  /** Why it could not be polled, and since when. */
  readonly error?: string;
  readonly errorSinceMs?: number;
  /** In a row. */
  readonly failures: number;
  /** What the master's copy of it takes on disk. */
  readonly mirrorBytes: number;
}

/** Repositories that are polled, by URL, and how far each project has come with its own: the tips that it was told of, by ref. */
export interface SourceStore {
  list(): Promise<readonly SourceRecord[]>;
  polled(record: SourceRecord): Promise<void>;
  /** Undefined: it was never begun, or with another repository. `wants` is what `begin` or `setTips` was given last. */
  progress(
    project: string,
    url: string,
  ): Promise<{ readonly wants: string; readonly tips: ReadonlyMap<string, string> } | undefined>;
  /** Anew, with these tips alone. */
  begin(
    project: string,
    start: { readonly url: string; readonly wants: string; readonly tips: ReadonlyMap<string, string> },
  ): Promise<void>;
  /** Sets some tips, removes others, all in one transaction. */
  setTips(
    project: string,
    next: { readonly tips: ReadonlyMap<string, string>; readonly gone?: readonly string[]; readonly wants?: string },
  ): Promise<void>;
}

/** What reporters are to send: each message until it is sent or given up. Both are kept for a while. */
export interface OutboxStore {
  /** Newest first, at most 1,000. */
  list(limit: number): Promise<readonly OutboxMessage[]>;
  find(id: number): Promise<OutboxMessage | undefined>;
  /** The one of this reporter that is to be tried first, be it due or not. */
  next(reporter: string): Promise<OutboxMessage | undefined>;
  /** Names of those that have messages waiting. */
  reporters(): Promise<readonly string[]>;
  /** It was tried once more: these three do nothing when it was dropped meanwhile. */
  sent(id: number, atMs: number): Promise<void>;
  putOff(id: number, error: string, nextTryMs: number): Promise<void>;
  giveUp(id: number, error: string, atMs: number): Promise<void>;
  /** All of a reporter that wait. */
  giveUpOf(reporter: string, error: string, atMs: number): Promise<void>;
  /** It waits (again), due at once. Rejects with `not-found` when it is not there or was sent. */
  retry(id: number, atMs: number): Promise<void>;
  drop(id: number): Promise<void>;
}

export interface AuditEntry {
  readonly atMs: number;
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly detail?: JsonObject;
}

export interface AuditStore {
  add(entry: AuditEntry): Promise<void>;
  list(limit: number): Promise<readonly AuditEntry[]>;
}

export type StoreErrorCode =
  | 'lost-claim'
  | 'not-found'
  | 'wrong-offset'
  /** The chunk's body is not what its head says, or its log is complete. */
  | 'bad-chunk'
  /** Such a row is there already: a command started or answered twice. */
  | 'conflict'
  | 'newer-schema'
  /** It was there, and is kept no more. */
  | 'gone'
  | 'damaged'
  | 'disk'
  | 'closed';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** With `wrong-offset`: where the next chunk must begin. */
  readonly wanted?: number;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { readonly wanted?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    if (options.wanted !== undefined) this.wanted = options.wanted;
  }
}
