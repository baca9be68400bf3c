import type ssh2 from 'ssh2';
import { afterEach, expect, test } from 'vitest';
import { sshStand } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';
import { until } from '../../support/until.ts';

const LIMITS = { channelsOfWorker: 5, channelsOfPerson: 3 };

let stand: SshStand | undefined;
afterEach(async () => {
  await stand?.close();
  stand = undefined;
});

type Opened = ssh2.ClientChannel | 'refused';

/** Resolves when the server has answered the opening. */
function open(client: ssh2.Client, isWorker: boolean): Promise<Opened> {
  return new Promise((resolve) => {
    const answer = (error: Error | undefined, channel: ssh2.ClientChannel): void =>
      resolve(error ? 'refused' : channel);
    if (isWorker) client.subsys('trunkline-session', answer);
    else client.exec('status', answer);
  });
}

test.each([
  ['worker', LIMITS.channelsOfWorker],
  ['person', LIMITS.channelsOfPerson],
])('one connection of a %s has %i channels at once, and one that is closed makes room', async (who, most) => {
  const isWorker = who === 'worker';
  // A call that goes on, and a worker whose channels nobody closes.
  stand = await sshStand({ limits: LIMITS, onPerson: () => undefined });
  const key = isWorker ? stand.workerKey : stand.personKey;
  const client = await stand.client({ username: isWorker ? 'w1' : 'ann', privateKey: key.privateKey });
  const opened = await Promise.all(Array.from({ length: most * 10 }, () => open(client, isWorker)));
  const there = opened.filter((one) => one !== 'refused');
  expect(there).toHaveLength(most);
  there[0]?.close();
  await until('there is room', async () => (await open(client, isWorker)) !== 'refused');
  expect(await open(client, isWorker)).toBe('refused');
});
