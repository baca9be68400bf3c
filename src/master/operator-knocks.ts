import type { Clock } from '../base/clock.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { KnockView } from './views/worker.ts';
import { shown } from './operator-names.ts';
import type { Knocks } from './people/knocks.ts';
import type { People } from './people/people.ts';

export interface KnockParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly people: People;
  readonly knocks: Knocks;
}

export async function listKnocks(parts: KnockParts, asker: Asker): Promise<readonly KnockView[]> {
  const action = { action: 'list knocks', target: 'workers', role: 'operator' } as const;
  return await audited(parts, asker, action, async () => parts.knocks.list().map(({ key: _key, ...knock }) => knock));
}

/** Lets the key in that knocked under the name; resolves to its fingerprint. */
export async function approveWorker(
  parts: KnockParts,
  asker: Asker,
  name: string,
  wanted: string | undefined,
): Promise<string> {
  const { knocks, people } = parts;
  const detail = wanted === undefined ? {} : { key: wanted };
  const action = { action: 'approve a worker', target: name, detail, role: 'operator' } as const;
  return await audited(parts, asker, action, async () => {
    const ofName = knocks.list().filter((knock) => knock.name === name);
    const keys = ofName.map(({ fingerprint }) => fingerprint);
    if (keys.length === 0) {
      const message = `nobody unknown has knocked as ${shown(name)} lately; start the worker there, then try again`;
      throw new OperatorError('not-found', message);
    }
    if (wanted === undefined && keys.length > 1) {
      throw new OperatorError(
        'conflict',
        `${keys.length} keys have knocked as ${name}: say which with --key, as "ssh-keygen -lf key.pub" shows it on the worker: ${keys.join(', ')}`,
      );
    }
    const knock = ofName.find(({ fingerprint }) => wanted === undefined || fingerprint === wanted);
    if (!knock) {
      throw new OperatorError(
        'not-found',
        `the key ${shown(wanted ?? '')} has not knocked as ${name}; ${keys.join(', ')} did`,
      );
    }
    await people.addWorker(name, [knock.key]);
    knocks.forget(name);
    return knock.fingerprint;
  });
}
