import type { Access } from '../model/access.ts';
import type { LockAccess, LockShape } from '../model/lock.ts';
import type { HookKind } from '../model/forge.ts';
import type { KeepRules } from '../model/keep-rules.ts';
import type { JsonObject } from '../model/json.ts';
import type { TextRule } from '../model/change-filter.ts';
import type { WhenWorkerLost } from '../model/lost-worker.ts';
import type { StepRules } from '../model/result.ts';
import type { RetryRules } from '../model/retry.ts';
import type { TroubleRules } from '../model/trouble.ts';
import type { SecretRef } from '../model/secret.ts';
import type { SchedulerShape } from './scheduler-shape.ts';

/** A configuration as plain data, checked: what the master schedules by. Functions stay in the bundle. Times are ms. */
export interface ConfigShape {
  readonly hash: string;
  readonly title: string;
  readonly heartbeatMs: number;
  readonly troubles: TroubleRules;
  /** What projects keep that do not say it themselves. */
  readonly keep?: KeepRules;
  /** What all builds begin with; absent: nothing. */
  readonly properties?: JsonObject;
  readonly reporters: readonly ReporterShape[];
  readonly hosts: readonly HostShape[];
  readonly workers: readonly WorkerShape[];
  /** All that it names, by name. */
  readonly locks: readonly LockShape[];
  /** Absent: none. */
  readonly secrets?: readonly SecretShape[];
  readonly projects: readonly ProjectShape[];
}

export type ReporterShape = MailShape | WebhookShape;

export interface MailShape {
  readonly kind: 'mail';
  /** Unique among the reporters. */
  readonly name: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly smtp: {
    readonly host: string;
    readonly port: number;
    readonly secure: boolean;
    /** The file is relative to the master's folder, or absolute. */
    readonly login?: { readonly user: string; readonly passwordFile: string };
  };
}

export interface WebhookShape {
  readonly kind: 'webhook';
  readonly name: string;
  readonly url: string;
  readonly secretFile?: string;
}

/** What may be given to builds, and to whose; its value is in no configuration. */
export interface SecretShape {
  readonly name: string;
  readonly from:
    /** Relative to the master's folder, or absolute. */
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'env'; readonly variable: string }
    | { readonly kind: 'command'; readonly argv: readonly string[]; readonly timeoutMs: number };
  readonly projects: readonly string[] | 'all';
  /** Also to builds of what is untrusted. */
  readonly forks?: true;
}

export interface WorkerShape {
  readonly name: string;
  /** Builds at a time. */
  readonly maxBuilds: number;
  /** A label that was given without a value has `true`; absent: none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** From the start of a build there to the next one's. */
  readonly startSpacingMs?: number;
  readonly host?: string;
  readonly owner?: string;
  /** Instead of the farm's. */
  readonly missingAfterMs?: number;
  /** What builds there begin with; absent: nothing. */
  readonly properties?: JsonObject;
}

/** Limits of all workers of a host together. */
export interface HostShape {
  readonly name: string;
  readonly maxBuilds?: number;
  readonly startSpacingMs?: number;
}

export interface ProjectShape {
  readonly name: string;
  /** For people, in markdown. */
  readonly description?: string;
  /** The repository, when there is one. */
  readonly source?: SourceShape;
  readonly builders: readonly BuilderShape[];
  /** The first failure of a build set cancels its other requests. */
  readonly cancelsRest?: true;
  /** Of what it says nothing, the farm's rule holds. */
  readonly keep?: KeepRules;
  /** Projects whose changes are built first, and what becomes of a request when such a build fails. */
  readonly dependsOn?: readonly string[];
  readonly whenUpstreamFails?: 'build' | 'skip';
  /** Forges that know the secret may tell of its changes; absent: none. */
  readonly hook?: HookShape;
  /** What becomes of pull requests of forks; absent: they wait for approval. */
  readonly forks?: Exclude<Forks, 'approve'>;
  /** Names of people at the forge whose forks are trusted. */
  readonly trustedAuthors?: readonly string[];
  /** Who may what of it; absent: whoever has the role. */
  readonly access?: Access;
  readonly schedulers: readonly SchedulerShape[];
}

export interface HookShape {
  /** Absent: whichever forge. */
  readonly kind?: HookKind;
  /** Relative to the master's folder, or absolute; read at each use. */
  readonly secretFile: string;
  /** Where the newest commit says one of these, nothing is built. */
  readonly skip: readonly string[];
  /** What of a delivery becomes properties: places in it, or what a function says, whose fingerprint this is; absent: nothing. */
  readonly properties?: readonly string[] | { readonly function: string };
}

export type Forks = 'build' | 'approve' | 'ignore';

export interface SourceShape {
  readonly kind: 'git';
  readonly url: string;
  readonly branch?: string;
  /** Where a revision can be looked at: `{revision}` stands for it, or a function is asked, whose fingerprint this is. */
  readonly revlink?: { readonly template: string } | { readonly function: string };
  /** The master looks for changes itself. */
  readonly poll?: PollShape;
}

export interface PollShape {
  readonly everyMs: number;
  /** Which branches, or those that a function names, whose fingerprint this is; absent: the source's, or the repository's default. */
  readonly branches?: TextRule | { readonly function: string };
  /** Which tags; absent: none. */
  readonly tags?: TextRule;
  /** A commit that says one of these is not built. */
  readonly skip: readonly string[];
  /** What the first poll finds is a change, too. */
  readonly isBuiltAtStart: boolean;
  readonly mirrorLimitBytes: number;
  readonly access: SourceAccess;
}

/** How the master comes to a repository. Files are relative to the master's folder, or absolute. */
export interface SourceAccess {
  readonly login?: { readonly user: string; readonly passwordFile: string };
  readonly sshKeyFile?: string;
  readonly knownHostsFile?: string;
}

export interface BuilderShape {
  readonly name: string;
  /** For people, in markdown. */
  readonly description?: string;
  /** Each once; absent: none. */
  readonly tags?: readonly string[];
  /** Names of workers that may build it, at least one: those it names, and those whose labels it asks for. */
  readonly workers: readonly string[];
  readonly env: Readonly<Record<string, string | SecretRef>>;
  /** Names of secrets that its builds are known to ask for; absent: none. */
  readonly secrets?: readonly string[];
  /** What its builds begin with where nobody says otherwise; absent: nothing. */
  readonly properties?: JsonObject;
  readonly logLimit?: string;
  readonly whenWorkerLost: WhenWorkerLost;
  /** Functions that are asked for its builds; absent: none. */
  readonly functions?: BuilderFunctions;
  /** Held by the whole build; none where a function says which. */
  readonly locks: readonly LockAccess[];
  /** When a new request is built in place of those that wait: when they are alike, or its function says so; absent: never. */
  readonly collapse?: 'same' | { readonly function: string };
  /** Which requests of older changes a newer one cancels; absent: none. */
  readonly cancelSuperseded?: 'waiting' | 'running';
  /** Absent: `RETRY_RULES`. */
  readonly retry?: RetryRules;
  /** A request ends after so long in the queue. */
  readonly queueForMs?: number;
  readonly steps: readonly StepShape[];
  /** One of its steps checks the project's source out as the build wants it, with a patch on top if there is one. */
  readonly takesPatches: boolean;
}

/** Those that a builder has, with the fingerprints of their code. */
export interface BuilderFunctions {
  /** False: none of its requests is built. */
  readonly buildIf?: false | string;
  /** It says what a build's commands have in their environment. */
  readonly env?: string;
  /** It says which locks a build holds. */
  readonly locks?: string;
  readonly nextWorker?: string;
  readonly nextBuild?: string;
  /** A check that takes longer than `limitMs` is a no; after a no it is made again in `recheckMs`. */
  readonly canStartBuild?: { readonly fingerprint: string; readonly limitMs: number; readonly recheckMs: number };
}

export interface StepShape {
  /** Unique in its builder. */
  readonly name: string;
  readonly rules: StepRules;
  /** Held while it runs. */
  readonly locks: readonly LockAccess[];
  /** However it ends, it is hidden then. */
  readonly isHidden?: true;
  /** Changes when the step is made from something else; code of its own is seen by its text only. */
  readonly fingerprint?: string;
}
