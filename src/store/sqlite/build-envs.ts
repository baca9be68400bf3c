import type { BuildEnv, BuildEnvStore } from '../build-env-store.ts';
import type { Context } from './context.ts';
import { fromJson } from './row.ts';

const FIND = 'SELECT env FROM build_envs WHERE build_id = ?';
const KEEP = 'INSERT INTO build_envs (build_id, env) VALUES (?, ?) ON CONFLICT (build_id) DO NOTHING';

export function buildEnvStore({ reader, writer }: Context): BuildEnvStore {
  return {
    async find(buildId) {
      return read(await reader.get<{ env: string }>(FIND, buildId));
    },
    async keep(buildId, env) {
      return await writer.write(async (transaction) => {
        await transaction.run(KEEP, buildId, JSON.stringify(env));
        return read(await transaction.get<{ env: string }>(FIND, buildId)) ?? env;
      });
    },
  };
}

function read(row: { readonly env: string } | undefined): BuildEnv | undefined {
  return row && (fromJson(row.env) as BuildEnv);
}
