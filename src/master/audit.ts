import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { mayActAs } from '../model/principal.ts';
import type { Role } from '../model/principal.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Store } from '../store/store.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { withoutSecrets } from './people/secrets.ts';

export interface ControlAction {
  readonly action: string;
  readonly target: string;
  /** A function is asked when the action has been done, or refused. */
  readonly detail?: JsonObject | (() => JsonObject);
  readonly role: Exclude<Role, 'worker'>;
}

const TARGET_MAX = 200;
/** Of each text in the details. */
const TEXT_MAX = 1_000;

/** Throws when the asker may not. */
export function demand(asker: Asker, role: Exclude<Role, 'worker'>, what: string): void {
  if (mayActAs(asker.role, role)) return;
  throw new OperatorError('forbidden', `${asker.name} may not ${what}: that takes the role ${role}; ask an operator`);
}

interface Sources {
  readonly store: Store;
  readonly clock: Clock;
}

/** Notes in the audit log that a control action was refused, and why. */
export async function noteRefused(
  { store, clock }: Sources,
  asker: Asker,
  action: Pick<ControlAction, 'action' | 'target'>,
  error: unknown,
): Promise<void> {
  await store.audit.add({ ...entryOf(clock, asker, action), detail: kept({ refused: errorText(error) }) });
}

function entryOf(clock: Clock, asker: Asker, { action, target }: Pick<ControlAction, 'action' | 'target'>) {
  return { atMs: clock.now(), who: asker.name, action, target: withoutSecrets(target).slice(0, TARGET_MAX) };
}

/** Details as they are kept: whatever was said, no secret and nothing of any length. */
function kept(detail: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(detail).map(([key, value]) => [key, keptValue(value)]));
}

function keptValue(value: Json): Json {
  if (typeof value === 'string') return withoutSecrets(value).slice(0, TEXT_MAX);
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? value.map(keptValue) : kept(value as JsonObject);
}

/** Does a control action when the asker may, and notes in the audit log who asked for what, also when it was refused. */
export async function audited<T>(
  { store, clock }: Sources,
  asker: Asker,
  { action, target, detail, role }: ControlAction,
  work: () => Promise<T>,
): Promise<T> {
  const details = (): JsonObject | undefined => (typeof detail === 'function' ? detail() : detail);
  const entry = entryOf(clock, asker, { action, target });
  let done: T;
  try {
    demand(asker, role, action);
    done = await work();
  } catch (error) {
    await store.audit.add({ ...entry, detail: kept({ ...details(), refused: errorText(error) }) });
    throw error;
  }
  const told = details();
  await store.audit.add({ ...entry, ...(told && { detail: kept(told) }) });
  return done;
}
