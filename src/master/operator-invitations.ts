import { hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { parseDuration, showDuration } from '../config/duration.ts';
import type { Invitation } from '../model/invitation.ts';
import { NAME_RULE, isName } from '../model/names.ts';
import type { Store } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Configs } from './configs.ts';
import type { HostKeys } from './host-keys.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { InvitationView, InviteView, InviteWish } from './views/worker.ts';
import { shown } from './operator-names.ts';
import type { Invitations } from './people/invitations.ts';
import { addressOf, idOf, joinLine } from './people/join-line.ts';
import type { People } from './people/people.ts';
import { readWorkerProgram } from './people/worker-program.ts';

export interface InvitationParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly configs: Configs;
  readonly people: People;
  readonly invitations: Invitations;
  readonly hostKeys: HostKeys;
}

const USUAL = '1h';
const SHORTEST_MS = 60_000;
const LONGEST_MS = 7 * 86_400_000;
/** Such as may stand in ssh's configuration as they are. */
const V6 = /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*$/;
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9][A-Za-z0-9._-]{0,252}))(?::(\d{1,5}))?$/;
const LOOPBACK = /^127\.|^::1$|^fe80:/;

/** Makes a one-time code, and the line that makes a machine a worker by it. */
export async function inviteWorker(
  parts: InvitationParts,
  asker: Asker,
  worker: string,
  wish: InviteWish,
): Promise<InviteView> {
  const { clock, configs, invitations, hostKeys } = parts;
  const expires = wish.expires ?? USUAL;
  const isForKnown = wish.isAgain ?? false;
  const action = {
    action: 'invite a worker',
    target: worker,
    detail: { expires: shown(expires), again: isForKnown },
    role: 'operator',
  } as const;
  return await audited(parts, asker, action, async () => {
    if (!isName(worker)) throw new OperatorError('usage', `"${shown(worker)}" cannot be a worker's name: ${NAME_RULE}`);
    const { host, port } = reachedAt(wish);
    const expiresMs = readExpiry(expires);
    checkName(parts, worker, isForKnown);
    // Better told to the operator than to the new machine.
    await readWorkerProgram();
    const expiresAtMs = clock.now() + expiresMs;
    const code = await invitations.add({ worker, invitedBy: asker.name, expiresAtMs, isForKnown });
    const made = invitations.open().find((one) => one.worker === worker);
    const id = idOf(made?.codeHash ?? '');
    return {
      worker,
      line: joinLine({ worker, id, code, host, port, hostKeys: hostKeys.trusted.map((key) => key.publicKeyLine) }),
      expiresAtMs,
      master: addressOf({ host, port }),
      isConfigured: configs.active.workers.some(({ name }) => name === worker),
    };
  });
}

function readExpiry(text: string): number {
  let ms = 0;
  try {
    ms = parseDuration(text);
  } catch (error) {
    throw new OperatorError('usage', `--expires: ${errorText(error)}`, { cause: error });
  }
  if (ms >= SHORTEST_MS && ms <= LONGEST_MS) return ms;
  const range = `${showDuration(SHORTEST_MS)} to ${showDuration(LONGEST_MS)}`;
  throw new OperatorError('usage', `--expires: an invitation is open for ${range}`);
}

/** What the operator said, or where his own ssh came in; one that came by loopback came from this machine, which has a name. */
function reachedAt({ host: said, arrivedAt }: InviteWish): { readonly host: string; readonly port: number } {
  if (said === undefined) return LOOPBACK.test(arrivedAt.host) ? { ...arrivedAt, host: hostname() } : arrivedAt;
  const match = ADDRESS.exec(said);
  const host = match?.[1] ?? match?.[2] ?? (V6.test(said) ? said : undefined);
  const port = match?.[3] === undefined ? arrivedAt.port : Number(match[3]);
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new OperatorError('usage', `"${shown(said)}" is no address: give HOST, HOST:PORT or [IPV6]:PORT`);
}

function checkName({ people }: InvitationParts, worker: string, isForKnown: boolean): void {
  const known = people.list().find(({ name }) => name === worker);
  if (!known || known.revokedAtMs !== undefined) return;
  if (known.role !== 'worker') {
    throw new OperatorError('conflict', `${worker} is a ${known.role} already; take another name`);
  }
  if (!isForKnown) {
    const message = `${worker} is a worker already; revoke or retire it first, or say --again to give it one key more`;
    throw new OperatorError('conflict', message);
  }
  if (known.source !== 'command') {
    throw new OperatorError(
      'conflict',
      `the keys of ${worker} are in its key file: add a line there, or remove it first`,
    );
  }
}

export async function listInvitations(parts: InvitationParts, asker: Asker): Promise<readonly InvitationView[]> {
  const action = { action: 'list invitations', target: 'workers', role: 'operator' } as const;
  return await audited(parts, asker, action, async () => parts.invitations.open().map(invitationView));
}

function invitationView({ worker, invitedBy, atMs, expiresAtMs, isForKnown }: Invitation): InvitationView {
  return { worker, invitedBy, atMs, expiresAtMs, isAgain: isForKnown };
}

export async function uninviteWorker(parts: InvitationParts, asker: Asker, worker: string): Promise<void> {
  const action = { action: 'take an invitation back', target: worker, role: 'operator' } as const;
  await audited(parts, asker, action, () => parts.invitations.remove(shown(worker)));
}
