import type { SecretRef } from '../model/secret.ts';

/** Variables that a builder's function has named for one build. */
export type BuildEnv = Readonly<Record<string, string | SecretRef>>;

export interface BuildEnvStore {
  find(buildId: number): Promise<BuildEnv | undefined>;
  /** Keeps them for all of the build, once: resolves to what is kept, which may be what was kept before. */
  keep(buildId: number, env: BuildEnv): Promise<BuildEnv>;
}
