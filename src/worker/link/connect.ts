import { errorText } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Carrier } from '../../transport/carrier.ts';
import { LinkRefused } from '../../transport/link-refused.ts';
import type { LinkEnd } from '../../transport/link.ts';
import { connectSsh } from '../../transport/ssh-client.ts';
import { SshConnectError } from '../../transport/ssh-connect-error.ts';
import type { WorkerDir } from '../worker-dir.ts';

/** Opens a connection to each master in turn; the first that can be had. Rejects with the most telling of the failures. */
export async function connectToMaster(dir: WorkerDir, privateKey: string, clock: Clock): Promise<Carrier> {
  let telling: unknown;
  for (const { host, port } of dir.masters) {
    try {
      return await connectSsh({ host, port, user: dir.name, privateKey, hostKeys: dir.hostKeys, clock });
    } catch (error) {
      if (telling === undefined || needsPerson(error)) telling = error;
    }
  }
  throw telling;
}

/** The master does not know the key. */
export function isRefusedLogin(error: unknown): boolean {
  return error instanceof SshConnectError && error.code === 'refused-login';
}

/** Of a failed try, or of a link's end: true when trying again soon is of no use, because somebody has to do something. */
export function needsPerson(why: unknown): boolean {
  if (why instanceof SshConnectError) return why.code === 'host-key-mismatch' || why.code === 'refused-login';
  return NEED_PERSON.has(goodbyeCode(why) ?? '');
}

/** The master has said that it wants nothing more of this worker. */
export function isRevoked(why: unknown): boolean {
  return goodbyeCode(why) === 'revoked';
}

function goodbyeCode(why: unknown): string | undefined {
  if (why instanceof LinkRefused) return why.code;
  const end = why as Partial<LinkEnd> | undefined;
  return end?.cause === 'goodbye' ? end.code : undefined;
}

const NEED_PERSON: ReadonlySet<string> = new Set([
  'version',
  'wrong-name',
  'unknown-worker',
  'duplicate-worker',
  'revoked',
]);

/** What happened and what to do, in one line. */
export function explain(error: unknown, dir: WorkerDir): string {
  const text = errorText(error);
  if (error instanceof SshConnectError && error.code === 'host-key-mismatch') {
    return `${text}; if the master's host key was changed, put the new fingerprint into hostKeys of ${dir.paths.config}`;
  }
  if (isRefusedLogin(error)) {
    return `${text}; let the key of ${dir.paths.publicKey} in on the master: worker add ${dir.name}`;
  }
  if (error instanceof LinkRefused) return `the master refused this worker (${error.code}): ${text}`;
  return text;
}
