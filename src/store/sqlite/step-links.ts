import type { StepLink, StepLinkStore } from '../step-links-store.ts';
import type { Context } from './context.ts';

const PUT = `INSERT INTO step_links (build_id, step, name, url) VALUES (?, ?, ?, ?)
  ON CONFLICT (build_id, step, name) DO UPDATE SET url = excluded.url`;
const LIST = 'SELECT step, name, url FROM step_links WHERE build_id = ? ORDER BY id';

export function stepLinkStore({ reader, writer }: Context): StepLinkStore {
  return {
    async put(buildId, { step, name, url }) {
      await writer.write((transaction) => transaction.run(PUT, buildId, step, name, url));
    },
    async list(buildId) {
      return await reader.all<StepLink>(LIST, buildId);
    },
  };
}
