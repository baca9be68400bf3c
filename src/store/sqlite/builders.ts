import type { BuilderStore } from '../builder-store.ts';
import type { Context } from './context.ts';
import { LAST_VIRTUAL_ENDS, listVirtualBuilders } from './virtual-builders.ts';

export const LAST_ENDS = `SELECT last.project, last.builder, last.id, last.number, last.result, last.finished_at_ms AS finishedAtMs
  FROM json_each(?) t JOIN builds last ON last.id = (
    SELECT b.id FROM builds b
    WHERE b.project = t.value ->> 'project' AND b.builder = t.value ->> 'builder' AND +b.state = 'finished'
    ORDER BY b.id DESC LIMIT 1)`;

export function builderStore({ reader }: Context): BuilderStore {
  return {
    async lastEnds(builders) {
      return await reader.all(LAST_ENDS, JSON.stringify(builders));
    },
    virtual: () => listVirtualBuilders(reader),
    async lastVirtualEnds(builders) {
      return await reader.all(LAST_VIRTUAL_ENDS, JSON.stringify(builders));
    },
  };
}
