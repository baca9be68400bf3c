import type { ConfigShape } from '../../config/shape.ts';
import type { Hold } from './queue-state.ts';

const TEXT = 'it cannot mask the secrets that are needed; upgrade it';

/** Builders that ask for secrets are not for workers that would show them; as `QueueState` wants it. */
export function secretVetoes(
  { projects }: ConfigShape,
  connected: ReadonlySet<string>,
  canMask: (worker: string) => boolean,
): ReadonlyMap<string, Hold> {
  const vetoes = new Map<string, Hold>();
  for (const project of projects) {
    for (const { name, secrets, workers } of project.builders) {
      if (secrets === undefined) continue;
      for (const worker of workers) {
        if (connected.has(worker) && !canMask(worker)) vetoes.set(`${project.name}/${name} ${worker}`, { text: TEXT });
      }
    }
  }
  return vetoes;
}
