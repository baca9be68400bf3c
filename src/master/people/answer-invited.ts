import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { PublicKey } from '../../model/principal.ts';
import type { Store } from '../../store/store.ts';
import type { Invited } from '../../transport/invited.ts';
import { fingerprint, parsePublicKeys } from '../../transport/keys.ts';
import type { PersonCall } from '../../transport/person-call.ts';
import type { Clock } from '../../base/clock.ts';
import type { HostKeys } from '../host-keys.ts';
import { OperatorError } from '../operator.ts';
import type { Invitations } from './invitations.ts';
import { idOf } from './join-line.ts';
import { joinScript } from './join-script.ts';
import { readWorkerProgram } from './worker-program.ts';

export interface InvitedDoor {
  readonly invitations: Invitations;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hostKeys: HostKeys;
}

const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;
const EX_SOFTWARE = 70;
/** One public key is shorter. */
const MAX_KEY_BYTES = 16 * 1024;

/** Answers an invited machine: it may fetch what it needs, and have its key enrolled. Never rejects. */
export async function answerInvited(door: InvitedDoor, invited: Invited, call: PersonCall): Promise<void> {
  try {
    call.exit(await answer(door, invited, call));
  } catch (error) {
    const isTold = error instanceof OperatorError;
    if (!isTold)
      door.logger.error('an invited machine was not answered', { worker: invited.name, error: errorText(error) });
    await call.writeError(
      `trunkline: ${isTold ? error.message : 'something went wrong; the log of the master says more'}\n`,
    );
    call.exit(isTold ? EX_UNAVAILABLE : EX_SOFTWARE);
  }
}

async function answer(door: InvitedDoor, invited: Invited, call: PersonCall): Promise<number> {
  const { name, codeHash } = invited;
  switch (call.command) {
    case 'fetch script': {
      const { sha256 } = await readWorkerProgram();
      const hostKeys = door.hostKeys.trusted.map((key) => key.fingerprint);
      await call.write(joinScript({ worker: name, id: idOf(codeHash), sha256, hostKeys }));
      return 0;
    }
    case 'fetch worker':
      await call.write((await readWorkerProgram()).bytes);
      return 0;
    case 'enrol':
      await enrol(door, invited, await readKey(call));
      await call.write(`${name} is let in\n`);
      return 0;
    default:
      await call.writeError(
        'trunkline: an invited machine can fetch the worker and have its key enrolled, nothing else\n',
      );
      return EX_USAGE;
  }
}

async function enrol({ invitations, store, clock }: InvitedDoor, invited: Invited, key: PublicKey): Promise<void> {
  const entry = { atMs: clock.now(), who: 'invited machine', action: 'enrol a worker', target: invited.name };
  const detail = { key: fingerprint(key) };
  try {
    const invitedBy = await invitations.enrol(invited, key);
    await store.audit.add({ ...entry, detail: { ...detail, invitedBy } });
  } catch (error) {
    await store.audit.add({ ...entry, detail: { ...detail, refused: errorText(error) } });
    throw error;
  }
}

async function readKey(call: PersonCall): Promise<PublicKey> {
  let text = '';
  for await (const piece of call.stdin) {
    text += Buffer.from(piece).toString('latin1');
    if (text.length > MAX_KEY_BYTES) throw new OperatorError('usage', 'what came is too long for one public key');
  }
  try {
    const [key, more] = parsePublicKeys(text);
    if (key && !more) return key;
  } catch (error) {
    throw new OperatorError('usage', `no public key came: ${errorText(error)}`, { cause: error });
  }
  throw new OperatorError('usage', 'one public key is let in by an invitation, not more');
}
