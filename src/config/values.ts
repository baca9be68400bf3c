import type { Access } from '../model/access.ts';
import type { LockMode, LockScope } from '../model/lock.ts';
import type { HookKind } from '../model/forge.ts';
import type { JsonObject } from '../model/json.ts';
import type { Result, StepRules } from '../model/result.ts';
import type { SchedulerConfig } from './scheduler-values.ts';
import type { SecretRef } from '../model/secret.ts';
import type { SecretConfig } from './secrets/define.ts';
import type { SourceStamp } from '../model/source-stamp.ts';
import type { Forks } from './shape.ts';
import type { Pattern } from './change-filter.ts';
import type { BuildIf, CanStartBuild, NextBuild, NextWorker } from './chooser-context.ts';
import type { CheckFacts, RequestFacts } from './function-facts.ts';
import type { Duration, Size, StepContext, StepFunction } from './step-context.ts';
import type { Wanted } from './steps/wanted.ts';

/**
 * What a configuration file is made of: plain values with functions inside, built by `define.ts` inside the bundle and
 * checked by `check-config.ts` of the master that loads it. A bundle outlives the version that made it: keep reading what
 * older ones hold, and raise `format` when that cannot be.
 */
export const CONFIG_FORMAT = 1;

export interface MasterConfig {
  readonly kind: 'master';
  readonly format: number;
  readonly title: string;
  /** Between two pings of master and worker; three of them without a byte, and the connection counts as dead. */
  readonly heartbeat?: Duration;
  /** All builds begin with these, where nothing closer to them says otherwise. */
  readonly properties?: JsonObject;
  /** When workers count as missing, flapping or full. */
  readonly troubles?: TroublesConfig;
  /** Who is told of them outside of the farm. */
  readonly reporters?: readonly ReporterConfig[];
  /** What is kept of projects that do not say it themselves. */
  readonly keep?: KeepConfig;
  /** What builds may be given, by name: never the values themselves. */
  readonly secrets?: Readonly<Record<string, SecretConfig>>;
  /** Machines on which several workers live, when these share limits. */
  readonly hosts?: readonly HostConfig[];
  /** Those that nothing names but functions of builders. */
  readonly locks?: readonly LockWish[];
  readonly workers: readonly WorkerConfig[];
  readonly projects: readonly ProjectConfig[];
}

export interface TroublesConfig {
  readonly missingAfter?: Duration;
  /** More connections than this within the window. */
  readonly flapping?: { readonly connections: number; readonly within: Duration };
  readonly fullAfter?: Duration;
}

export type ReporterConfig = MailReporter | WebhookReporter;

export interface MailReporter {
  readonly kind: 'mail';
  readonly name: string;
  readonly from: string;
  /** Besides the owners of workers. */
  readonly to?: readonly string[];
  readonly smtp: {
    readonly host: string;
    readonly port: number;
    /** TLS from the first byte; otherwise the line is encrypted when the server offers it. */
    readonly secure?: boolean;
    readonly user?: string;
    /** Relative to the master's folder, or absolute; read when something is sent. */
    readonly passwordFile?: string;
  };
}

export interface WebhookReporter {
  readonly kind: 'webhook';
  readonly name: string;
  readonly url: string;
  /** What posts are signed with; as `passwordFile`. */
  readonly secretFile?: string;
}

export interface WorkerConfig {
  readonly kind: 'worker';
  readonly name: string;
  readonly maxBuilds?: number;
  /** By what builders may ask for it; a list: labels without a value. */
  readonly labels?: Labels;
  /** At least so long from the start of a build there to the next one's. */
  readonly startSpacing?: Duration;
  readonly host?: string;
  readonly owner?: string;
  /** Instead of the farm's. */
  readonly missingAfter?: Duration;
  /** Builds there begin with these, where nobody who asks for them says otherwise. */
  readonly properties?: JsonObject;
}

type Labels = readonly string[] | Readonly<Record<string, string>>;
/** Of several values a worker needs one. */
type WantedLabels = readonly string[] | Readonly<Record<string, string | readonly string[]>>;

/** For all workers that name it as their `host`, together. */
export interface HostConfig {
  readonly kind: 'host';
  readonly name: string;
  readonly maxBuilds?: number;
  readonly startSpacing?: Duration;
}

/** All that are named, and all that have each of `labels` and none of `not`. */
export type WorkerChoice =
  | readonly string[]
  | { readonly names?: readonly string[]; readonly labels?: WantedLabels; readonly not?: WantedLabels };

export interface ProjectConfig {
  readonly kind: 'project';
  readonly name: string;
  /** For people, in markdown. */
  readonly description?: string;
  readonly source?: GitSource;
  readonly builders: readonly BuilderConfig[];
  readonly schedulers?: readonly SchedulerConfig[];
  /** Of its builders that do not say otherwise. */
  readonly cancelSuperseded?: CancelSuperseded;
  /** The first failure or exception of a build set cancels its other requests. */
  readonly cancelRestOnFailure?: boolean;
  /** Projects whose changes are built before those of this one; what becomes of a request when such a build fails. */
  readonly dependsOn?: readonly string[];
  readonly whenUpstreamFails?: 'build' | 'skip';
  /** Takes the webhooks of a forge that knows the secret. */
  readonly hook?: HookConfig;
  /** What becomes of pull requests of forks: built when somebody approves (the default), built at once, or ignored. */
  readonly forks?: Forks;
  /** Names of people at the forge whose pull requests are trusted although they come from forks. */
  readonly trustedAuthors?: readonly string[];
  /** What is kept of it; of what it says nothing, as `defineMaster` says. */
  readonly keep?: KeepConfig;
  /** Names of people: who may read it, who may control it. A list that is absent limits nobody; operators are never limited. */
  readonly access?: Access;
}

/** So long, so many, so much: what is beyond any of them is deleted. Absent: it is kept for ever. */
export interface KeepConfig {
  readonly logs?: KeepRuleConfig;
  readonly artifacts?: KeepRuleConfig;
  /** With their logs and artifacts. */
  readonly builds?: Omit<KeepRuleConfig, 'atMost'>;
}

export interface KeepRuleConfig {
  /** Since the build ended. */
  readonly for?: Duration;
  /** Of the newest so many builds of each builder. */
  readonly last?: number;
  /** Of the project in all, as it lies on the disk. */
  readonly atMost?: Size;
}

export interface HookConfig {
  /** Absent: any forge; `generic` takes changes of whatever can sign them. */
  readonly kind?: HookKind;
  /** Relative to the master's folder, or absolute; read at each use. */
  readonly secretFile: string;
  /** Where the newest commit says one of these, nothing is built; `[skip ci]` and `[ci skip]` if it is absent. */
  readonly skip?: readonly string[];
  /** What of a delivery the builds begin with as properties: places in what the forge sends, or a function of its event and that. */
  readonly properties?: readonly string[] | HookPropertiesFunction;
}

export type HookPropertiesFunction = (
  event: string,
  payload: JsonObject,
) => JsonObject | null | Promise<JsonObject | null>;

/** Resolves to an address of http or https; null: there is none. */
export type RevlinkFunction = (revision: string) => string | null | Promise<string | null>;

/** Asked once a poll with all branches of the repository: those of them that are meant. */
export type BranchesFunction = (branches: readonly string[]) => readonly string[] | Promise<readonly string[]>;

export interface GitSource {
  readonly kind: 'git';
  readonly url: string;
  readonly branch?: string;
  /** Where a revision can be looked at: an address with `{revision}` in it, or a function that gives one. */
  readonly revlink?: string | RevlinkFunction;
  /** The master looks so often for what is new; absent: somebody tells it. What follows is for that alone. */
  readonly poll?: Duration;
  /** Which branches (`true`: all); default: `branch`, or the repository's default branch. */
  readonly branches?: true | Pattern | readonly Pattern[] | BranchesFunction;
  readonly tags?: true | Pattern | readonly Pattern[];
  /** A commit that says one of these is not built; default: as of the project's hook, or `[skip ci]` and `[ci skip]`. */
  readonly skip?: readonly string[];
  /** What the first poll finds counts as new. */
  readonly pollAtStart?: boolean;
  /** Of https; files as `passwordFile` of `mail`. */
  readonly user?: string;
  readonly passwordFile?: string;
  /** Of ssh; default: those of the account that the master runs in. */
  readonly sshKeyFile?: string;
  readonly knownHostsFile?: string;
  /** What the master keeps of the repository takes no more; default `10GiB`. */
  readonly mirrorLimit?: Size;
}

export interface BuilderConfig {
  readonly kind: 'builder';
  readonly name: string;
  /** For people, in markdown. */
  readonly description?: string;
  /** By what people find it among others. */
  readonly tags?: readonly string[];
  readonly workers: WorkerChoice;
  /** A function is asked once about each build, and its answer kept with that. */
  readonly env?: Env | OwnEnv;
  /** Names of those that its steps' own code asks for; those in `env` and in options of steps are known anyway. */
  readonly secrets?: readonly string[];
  /** Its builds begin with these, where nobody who asks for them says otherwise. */
  readonly properties?: JsonObject;
  /** Of each log of its steps that does not say otherwise. */
  readonly logLimit?: Size;
  /** Its builds are done again, elsewhere if need be, after so long without a word of their worker; or wait for it. */
  readonly whenWorkerLost?: 'wait' | { readonly retryAfter: Duration };
  /** A new request is built in place of those that wait for the same: never, when they are alike, or when the function says so. */
  readonly collapse?: boolean | CollapseFunction;
  readonly cancelSuperseded?: CancelSuperseded;
  /** How often its builds are tried again for each cause; the pause doubles from one to the next. */
  readonly retry?: {
    readonly lost?: number;
    readonly exception?: number;
    readonly failure?: number;
    readonly pause?: Duration;
  };
  /** A request that waited for so long ends as an exception. */
  readonly queueFor?: Duration;
  /** Held from the first step to the end of the build; a function is asked about each request. */
  readonly locks?: readonly LockWish[] | OwnLocks;
  /** Whether a request is built at all, asked before anything is taken for it; a no ends it as skipped. */
  readonly buildIf?: boolean | BuildIf;
  /** Chooses among the workers that have room; absent: the least loaded. */
  readonly nextWorker?: NextWorker;
  /** Chooses among the builder's waiting requests; absent: the order of the queue. */
  readonly nextBuild?: NextBuild;
  /**
   * Asked before a build starts on a worker. What takes longer than `deadline` (`1m`) is a no; after a no it is asked again in
   * `recheck` (`1m`).
   */
  readonly canStartBuild?:
    CanStartBuild | { readonly check: CanStartBuild; readonly deadline?: Duration; readonly recheck?: Duration };
  readonly steps: readonly StepConfig[];
}

interface LockFacts {
  readonly name: string;
  readonly scope: LockScope;
  readonly slots: number;
  readonly slotsFor?: Readonly<Record<string, number>>;
}

export interface LockConfig extends LockFacts {
  readonly kind: 'lock';
  /** All of it, beside nobody. */
  readonly exclusive: () => LockAccessConfig;
  /** So many of its slots; 1 by default, and none of 0. */
  readonly counting: (units?: number) => LockAccessConfig;
}

/** What somebody asks of a lock. */
export interface LockAccessConfig extends LockFacts {
  readonly kind: 'lockAccess';
  readonly mode: LockMode;
  readonly units: number;
}

/** A lock by itself: one of its slots. */
export type LockWish = LockConfig | LockAccessConfig;

type Env = Readonly<Record<string, string | SecretRef>>;

/** What the commands of one build have in their environment. */
export type OwnEnv = (build: CheckFacts) => Env | Promise<Env>;

/** What the build of a request holds, of the locks that the configuration names elsewhere, or in `locks` of `defineMaster`. */
export type OwnLocks = (request: RequestFacts) => readonly LockWish[] | Promise<readonly LockWish[]>;

/** A newer change of a branch cancels the requests of older ones: those that wait, or also those that are being built. */
export type CancelSuperseded = boolean | { readonly running: boolean };

/** True when `newer` may be built in place of `older`. */
export type CollapseFunction = (older: QueuedFacts, newer: QueuedFacts) => boolean | Promise<boolean>;

/** What a function of the configuration may know of a request that waits. */
export interface QueuedFacts {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly priority: number;
  readonly reason: string;
  readonly owner: string;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
  readonly submittedAtMs: number;
}

export interface StepConfig {
  readonly kind: 'step';
  readonly name: string;
  readonly rules: Partial<StepRules>;
  /** Held while the step runs. */
  readonly locks?: readonly LockWish[];
  readonly doIf?: Wanted<boolean>;
  readonly hideIf?: boolean | ((result: Result, ctx: StepContext) => boolean | Promise<boolean>);
  readonly description?: Wanted<string>;
  readonly descriptionDone?: Wanted<string>;
  readonly run: StepFunction;
  /** What a built-in step was made from, so that times are checked at load and a reload can tell what changed. */
  readonly made?: {
    readonly of: string;
    readonly timeout?: Duration | null | undefined;
    readonly maxTime?: Duration | undefined;
    readonly killAfter?: Duration | undefined;
    readonly logLimit?: Size | undefined;
    readonly within?: Duration | undefined;
    readonly [key: string]: unknown;
  };
}
