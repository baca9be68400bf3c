import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { encode } from '../../../src/protocol/codec.ts';
import { KiB, MiB } from '../../../src/protocol/limits.ts';
import type { PersonCall } from '../../../src/transport/person-call.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import { HELLO } from '../../support/hello.ts';
import { sshPair } from '../../support/ssh-pair.ts';
import { sshStand } from '../../support/ssh-stand.ts';
import { until } from '../../support/until.ts';

/** A window of SSH for each call, what the sockets of both ends hold, and one write of each. */
const OF_A_CALL = 2 * MiB + 128 * KiB;
const SOCKETS = 16 * MiB;
/** Of `link-writer.ts`, and what is under way beside it. */
const STUCK = 32 * MiB;
const PIECE = Buffer.alloc(64 * KiB, 'x');

test('a person who reads no answer holds up his own verbs, and is gone when nothing comes back', async () => {
  let written = 0;
  let over = 0;
  const print = async (call: PersonCall): Promise<void> => {
    while (!call.signal.aborted) {
      await call.write(PIECE);
      written += PIECE.length;
    }
    over++;
  };
  const stand = await sshStand({ limits: { keepaliveMs: 1_000 }, onPerson: (call) => void print(call) });
  const client = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  const calls = 8;
  for (let i = 0; i < calls; i++)
    await new Promise((resolve, reject) => client.exec('log', (error) => (error ? reject(error) : resolve(undefined))));
  (client as unknown as { readonly _sock: Socket })._sock.pause();
  await until('it is gone', () => stand.server.stats().connections === 0);
  await until('its verbs have ended', () => over === calls);
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThan(calls * OF_A_CALL + SOCKETS);
  await stand.close();
});

test('a worker that reads nothing is given up when so much waits for it', async () => {
  const pair = await sshPair();
  const opened = openMasterLink(pair.master, {
    logger: silentLogger,
    principalName: 'w1',
    admit: () => Promise.resolve({ epoch: 1, masterId: 'm' }),
  });
  const control = await pair.worker.openChannel('trunkline-control');
  control.onData(() => undefined);
  control.write(encode('hello', '', HELLO));
  const { link } = await opened;
  control.pause();
  const over = new AbortController();
  void link.closed.then(() => over.abort());
  const command = 'x'.repeat(200);
  const commands = Array.from({ length: 50 }, () => ({ command, verdict: 'forget' as const }));
  let sent = 0;
  await until('it is given up', () => {
    for (let i = 0; i < 100 && !over.signal.aborted; i++) {
      link.send('inventory.answer', '', { sessions: [], commands, last: true });
      sent += commands.length * command.length;
    }
    return over.signal.aborted;
  });
  expect(await link.closed).toMatchObject({ cause: 'protocol' });
  expect(sent).toBeGreaterThan(STUCK / 2);
  expect(sent).toBeLessThan(STUCK + 16 * MiB);
  await pair.close();
});
