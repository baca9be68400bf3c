import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import type { Json } from '../../model/json.ts';
import type { BuildEnv } from '../../store/build-env-store.ts';
import type { BuildTools } from './build-tools.ts';
import { checkFacts } from './check-facts.ts';

export type OwnEnv = { readonly env: BuildEnv } | { readonly error: string };

const LIMIT_MS = 10_000;

/**
 * What a builder's `env` says of one build, where it is a function: asked before the first step and kept, so that all of the
 * build's commands, also those after a restart, have the same. Undefined: it is none. When `signal` is aborted the master stops,
 * and what is answered counts for nothing.
 */
export async function ownEnv(
  { store, codeHost }: Pick<BuildTools, 'store' | 'codeHost'>,
  build: Build,
  config: ConfigShape,
  builder: BuilderShape,
  signal: AbortSignal,
): Promise<OwnEnv | undefined> {
  if (builder.functions?.env === undefined) return undefined;
  const kept = await store.buildEnvs.find(build.id);
  if (kept) return { env: kept };
  const facts = await checkFacts(store, build, config);
  const place = `project ${build.project}/builder ${build.builder}/env`;
  const args = [JSON.parse(JSON.stringify(facts)) as Json];
  const answered = await codeHost.ask({ configHash: build.configHash, place, args, limitMs: LIMIT_MS }, signal);
  if (signal.aborted) return undefined;
  // The thread has checked it.
  if ('ok' in answered) return { env: await store.buildEnvs.keep(build.id, answered.ok as BuildEnv) };
  return { error: `env of ${builder.name} failed: ${answered.error}` };
}
