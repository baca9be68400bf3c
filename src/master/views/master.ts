import type { BuildView } from './build.ts';
import type { RequestView } from './request.ts';
import type { TroubleView } from './worker.ts';

export interface StatusView {
  readonly title: string;
  readonly configHash: string;
  readonly running: readonly BuildView[];
  readonly waiting: readonly RequestView[];
  /** Of workers, those that last. */
  readonly troubles: readonly TroubleView[];
  readonly workers: { readonly connected: number; readonly configured: number };
}

export interface ReloadView {
  readonly hash: string;
  readonly differences: readonly string[];
  /** What is not wrong, but may be a mistake. */
  readonly warnings: readonly string[];
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
