import ssh2 from 'ssh2';
import type { ConnectConfig } from 'ssh2';
import { systemClock } from '../../src/base/clock.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Carrier } from '../../src/transport/carrier.ts';
import type { ForwardAnswer, ForwardTarget } from '../../src/transport/forwards.ts';
import type { AdmitInvited } from '../../src/transport/invited.ts';
import { makeKeyPair } from '../../src/transport/keys.ts';
import type { SshPrivateKey } from '../../src/transport/keys.ts';
import type { PersonCall } from '../../src/transport/person-call.ts';
import { listenSsh } from '../../src/transport/ssh-server.ts';
import type { SshServer, SshServerLimits } from '../../src/transport/ssh-server.ts';

/** A real server that admits one worker `w1` and one person `ann`, and raw ssh2 clients for it. */
export interface SshStand {
  readonly server: SshServer;
  readonly host: SshPrivateKey;
  readonly workerKey: SshPrivateKey;
  readonly personKey: SshPrivateKey;
  /** What the server logged, as `message {fields}`. */
  readonly logged: string[];
  /** A raw client that is logged in. */
  client(config: ConnectConfig): Promise<ssh2.Client>;
  close(): Promise<void>;
}

export interface SshStandOptions {
  readonly limits?: Partial<SshServerLimits>;
  readonly clock?: Clock;
  readonly onWorker?: (carrier: Carrier) => void;
  readonly onPerson?: (call: PersonCall) => void;
  readonly admitInvited?: AdmitInvited;
  readonly onInvited?: (call: PersonCall) => void;
  readonly onForward?: (target: ForwardTarget) => ForwardAnswer;
}

export async function sshStand(options: SshStandOptions = {}): Promise<SshStand> {
  const host = makeKeyPair('host');
  const workerKey = makeKeyPair('w1');
  const personKey = makeKeyPair('ann');
  const logged: string[] = [];
  const log = (message: string, fields?: Record<string, unknown>): void => {
    logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const known = [
    { name: 'w1', role: 'worker', blob: workerKey.publicKey.blob },
    { name: 'ann', role: 'developer', blob: personKey.publicKey.blob },
  ];
  const server = await listenSsh({
    host: '127.0.0.1',
    port: 0,
    hostKeys: [host.privateKey],
    clock: options.clock ?? systemClock,
    logger: { debug: log, info: log, warn: log, error: log },
    ...(options.limits ? { limits: options.limits } : {}),
    authenticate: (name, { blob }) =>
      known.find((one) => one.name === name && one.blob === blob) ?? { refused: `no such key for ${name}` },
    ...(options.admitInvited ? { admitInvited: options.admitInvited } : {}),
    onInvited: (_invited, call) => (options.onInvited ? options.onInvited(call) : call.exit(0)),
    onWorker: (_principal, carrier) => options.onWorker?.(carrier),
    onPerson: (_principal, call) => (options.onPerson ? options.onPerson(call) : call.exit(0)),
    ...(options.onForward && { onForward: (_principal, target) => options.onForward!(target) }),
  });
  const clients: ssh2.Client[] = [];
  return {
    server,
    host,
    workerKey,
    personKey,
    logged,
    client: (config) =>
      new Promise((resolve, reject) => {
        const client = new ssh2.Client();
        clients.push(client);
        client.on('error', reject);
        client.on('close', () => reject(new Error('closed')));
        client.on('ready', () => resolve(client));
        client.connect({ host: '127.0.0.1', port: server.port, ...config });
      }),
    async close() {
      for (const client of clients) client.destroy();
      await server.close();
    },
  };
}

/** Polls until it is so; for what nobody tells of. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = Date.now() + 25_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
