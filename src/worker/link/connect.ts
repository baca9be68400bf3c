import { errorText } from '../../base/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Carrier } from '../../transport/carrier.ts';
import { LinkRefused } from '../../transport/link-refused.ts';
import type { LinkEnd } from '../../transport/link.ts';
import { connectSsh } from '../../transport/ssh-client.ts';
import { SshConnectError } from '../../transport/ssh-connect-error.ts';
import type { SshConnectCode } from '../../transport/ssh-connect-error.ts';
import type { Way } from '../../transport/way.ts';
import type { MasterAddress } from '../master-address.ts';
import type { WorkerDir } from '../worker-dir.ts';

export interface ConnectOptions {
  readonly dir: WorkerDir;
  readonly privateKey: string;
  /** Fingerprints. */
  readonly hostKeys: readonly string[];
  readonly way: Way;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opens a connection to one master. Rejects with an SshConnectError. */
export function connectToMaster({ host, port }: MasterAddress, options: ConnectOptions): Promise<Carrier> {
  const { dir, privateKey, hostKeys, way, clock, logger } = options;
  return connectSsh({ host, port, user: dir.name, privateKey, hostKeys, way, clock, logger });
}

/** The master does not know the key. */
export function isRefusedLogin(error: unknown): boolean {
  return error instanceof SshConnectError && error.code === 'refused-login' && !error.isAtJumpHost;
}

/** Of a failed try, or of a link's end: true when trying again soon is of no use, because somebody has to do something. */
export function needsPerson(why: unknown): boolean {
  if (why instanceof SshConnectError) return PERSON_OPENS.has(why.code);
  return NEED_PERSON.has(goodbyeOf(why)?.code ?? '');
}

/** The master has said that it wants nothing more of this worker: no other one is asked. */
export function isFarewell(why: unknown): boolean {
  return FAREWELLS.has(goodbyeOf(why)?.code ?? '');
}

const FAREWELLS: ReadonlySet<string> = new Set(['revoked', 'retired', 'left']);

/** Of a failed try, or of a link's end, when it came by a goodbye. */
export function goodbyeOf(why: unknown): { readonly code: string; readonly message: string } | undefined {
  if (why instanceof LinkRefused) return why;
  const { cause, code, message = '' } = (why ?? {}) as Partial<LinkEnd>;
  return cause === 'goodbye' && code !== undefined ? { code, message } : undefined;
}

const PERSON_OPENS: ReadonlySet<string> = new Set(['host-key-mismatch', 'refused-login', 'forward-refused']);
const NEED_PERSON: ReadonlySet<string> = new Set([
  'version',
  'wrong-name',
  'unknown-worker',
  'duplicate-worker',
  'revoked',
]);

/** What happened, at which hop, and what to do, in one line. */
export function explain(error: unknown, dir: WorkerDir): string {
  const text = errorText(error);
  if (error instanceof SshConnectError) {
    const advice = error.isAtJumpHost ? adviceAtJumpHost(error.code, dir) : adviceAtMaster(error.code, dir);
    return advice === undefined ? text : `${text}; ${advice}`;
  }
  if (error instanceof LinkRefused) return `the master refused this worker (${error.code}): ${text}`;
  return text;
}

function adviceAtMaster(code: SshConnectCode, { paths, name }: WorkerDir): string | undefined {
  switch (code) {
    case 'host-key-mismatch':
      return `if the master's host key was changed, put the new fingerprint into hostKeys of ${paths.config}`;
    case 'refused-login':
      return `let the key of ${paths.publicKey} in on the master: worker add ${name}`;
    case 'proxy-failed':
      return `try it by hand, it is proxyCommand of ${paths.config}`;
    default:
      return undefined;
  }
}

function adviceAtJumpHost(code: SshConnectCode, { paths }: WorkerDir): string | undefined {
  switch (code) {
    case 'host-key-mismatch':
      return `if the jump host's key was changed, put the new fingerprint into hostKeys of its entry in jump of ${paths.config}`;
    case 'refused-login':
      return `let its key in there, in authorized_keys: its entry in jump of ${paths.config} names the file`;
    case 'forward-refused':
      return 'its sshd has to allow it: AllowTcpForwarding and PermitOpen in sshd_config, port-forwarding and permitopen in authorized_keys';
    case 'forward-failed':
      return 'see that the master runs, and that a firewall lets the jump host through to it';
    case 'unreachable':
    case 'timeout':
      return 'see that it is up, and that a firewall lets this machine through to it';
    default:
      return undefined;
  }
}
