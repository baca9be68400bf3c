import { CONFIG_FORMAT } from './values.ts';
import type {
  BuilderConfig,
  GitSource,
  LockConfig,
  HostConfig,
  MailReporter,
  MasterConfig,
  ProjectConfig,
  WebhookReporter,
  WorkerConfig,
} from './values.ts';

type Options<T> = Omit<T, 'kind' | 'format' | 'name' | 'url'>;

/** The whole of a configuration; the file's default export. */
export function defineMaster(config: Options<MasterConfig>): MasterConfig {
  return { ...config, kind: 'master', format: CONFIG_FORMAT };
}

/** A machine that builds: `maxBuilds` at a time (1), its `host` and `owner` for people. Its key is admitted by `worker add`. */
export function worker(name: string, options: Options<WorkerConfig> = {}): WorkerConfig {
  return { ...options, kind: 'worker', name };
}

/** A machine on which several workers live: `maxBuilds` of them all together, `startSpacing` from one start there to the next. */
export function host(name: string, options: Options<HostConfig> = {}): HostConfig {
  return { ...options, kind: 'host', name };
}

type Unnamed<T extends { readonly name: string }> = Omit<T, 'kind' | 'name'> & { readonly name?: string };

/** Tells the owners of workers by mail, and whoever is in `to`. Two of them need a `name` each. */
export function mail(options: Unnamed<MailReporter>): MailReporter {
  return { name: 'mail', ...options, kind: 'mail' };
}

/** Posts what there is to tell to a URL, as JSON. Two of them need a `name` each. */
export function webhook(options: Unnamed<WebhookReporter>): WebhookReporter {
  return { name: 'webhook', ...options, kind: 'webhook' };
}

/** A repository with the builders that build it. */
export function project(name: string, options: Options<ProjectConfig>): ProjectConfig {
  return { ...options, kind: 'project', name };
}

/** Where a project's code is: a URL or a path; `branch` absent = the repository's default branch. */
export function git(url: string, options: Options<GitSource> = {}): GitSource {
  return { ...options, kind: 'git', url };
}

/** One way to build a project: its steps, one after the other, on one of the workers that it names or asks for by labels. */
export function builder(name: string, options: Options<BuilderConfig>): BuilderConfig {
  return { ...options, kind: 'builder', name };
}

/** A lock of the whole farm. Whoever asks for it waits until as many of its `slots` (1) are free. */
export function masterLock(name: string, options: LockSlots = {}): LockConfig {
  return lock('farm', name, options);
}

/** A lock that each worker has for itself, with `slots` (1), or those in `slotsFor` of that worker. */
export function workerLock(name: string, options: PlacedLockSlots = {}): LockConfig {
  return lock('worker', name, options);
}

/** A lock that the workers of one `host` share, with `slots` (1), or those in `slotsFor` of that host. */
export function hostLock(name: string, options: PlacedLockSlots = {}): LockConfig {
  return lock('host', name, options);
}

interface LockSlots {
  readonly slots?: number;
}

interface PlacedLockSlots extends LockSlots {
  readonly slotsFor?: Readonly<Record<string, number>>;
}

function lock(scope: LockConfig['scope'], name: string, options: PlacedLockSlots): LockConfig {
  const facts = { slots: 1, ...options, name, scope };
  return {
    ...facts,
    kind: 'lock',
    exclusive: () => ({ ...facts, kind: 'lockAccess', mode: 'exclusive', units: 1 }),
    counting: (units = 1) => ({ ...facts, kind: 'lockAccess', mode: 'counting', units }),
  };
}
