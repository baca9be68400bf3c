import { silentLogger } from '../../src/base/logger.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { Carrier } from '../../src/transport/carrier.ts';
import { makeKeyPair } from '../../src/transport/keys.ts';
import { connectSsh } from '../../src/transport/ssh-client.ts';
import { listenSsh } from '../../src/transport/ssh-server.ts';
import type { SshServer, SshServerLimits } from '../../src/transport/ssh-server.ts';
import type { Way } from '../../src/transport/way.ts';

export interface SshPair {
  readonly worker: Carrier;
  readonly master: Carrier;
  readonly server: SshServer;
  close(): Promise<void>;
}

/** A worker's and a master's carrier over a real SSH connection on this machine, direct if no way is given. */
export async function sshPair(limits: Partial<SshServerLimits> = {}, way?: Way): Promise<SshPair> {
  const host = makeKeyPair('host');
  const key = makeKeyPair('worker');
  let take = (_carrier: Carrier): void => {};
  const arrived = new Promise<Carrier>((resolve) => (take = resolve));
  const server = await listenSsh({
    host: '127.0.0.1',
    port: 0,
    hostKeys: [host.privateKey],
    limits,
    clock: systemClock,
    logger: silentLogger,
    authenticate: (name, { blob }) =>
      blob === key.publicKey.blob ? { name, role: 'worker' } : { refused: 'unknown key' },
    onWorker: (_principal, carrier) => take(carrier),
    onPerson: (_principal, call) => call.exit(1),
  });
  const worker = await connectSsh({
    host: '127.0.0.1',
    port: server.port,
    user: 'w1',
    privateKey: key.privateKey,
    hostKeys: [host.fingerprint],
    ...(way && { way }),
  });
  const master = await arrived;
  return {
    worker,
    master,
    server,
    async close() {
      worker.destroy('the test is over');
      await server.close();
    },
  };
}
