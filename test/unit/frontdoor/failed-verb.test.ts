import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { answerCall } from '../../../src/frontdoor/answer-call.ts';
import type { MasterOptions } from '../../../src/master/master.ts';
import { Connection } from '../../../src/store/sqlite/connection.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { ErrorLog } from '../../support/error-log.ts';
import { exec } from '../../support/ssh-exec.ts';
import type { Ran } from '../../support/ssh-exec.ts';
import { TryFarm } from '../master/try-farm.ts';

// A real master, on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const COMMAND = 'force p/b -p token=hunter2 --reason hunter2';
/** EX_SOFTWARE. */
const FAILED = 70;

let farm: TryFarm;
let log: ErrorLog;

beforeEach(async () => {
  log = new ErrorLog();
  farm = await TryFarm.create(`
    workers: [worker('w')],
    projects: [project('p', { builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })], schedulers: [force()] })],
  `);
});
afterEach(() => farm.close());

/** A call of an operator to a master that logs to `log`. */
async function call(onPerson: MasterOptions['onPerson'], prepare?: () => Promise<void>): Promise<Ran> {
  const key = makeKeyPair('ann');
  await writeFile(join(farm.masterDir, 'keys', 'operators', 'ann.pub'), key.publicKeyLine);
  const { port } = await farm.startMaster({ logger: log.logger, onPerson });
  await prepare?.();
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    client.connect({ host: '127.0.0.1', port, username: 'ann', privateKey: key.privateKey });
  });
  try {
    return await exec(client, COMMAND);
  } finally {
    client.destroy();
  }
}

test('a verb that fails in the master is logged by its name, without the words that it was given', async () => {
  const ran = await call(
    (operator, asker, asked) => answerCall({ operator, clock: systemClock, logger: log.logger }, asker, asked),
    async () => {
      const database = await Connection.open(join(farm.masterDir, 'state', 'trunkline.sqlite'), 'readwrite', 5_000);
      await database.run('DROP TABLE build_sets');
      await database.close();
    },
  );
  expect(ran).toMatchObject({ status: FAILED });
  expect(ran.errors.toString()).toMatch(/^trunkline: something went wrong in the master .*its log says more\n$/);
  const line = log.errors.find((error) => error.startsWith('a verb failed'));
  expect(line).toContain('"who":"ann","verb":"force","error":"');
  expect(log.errors.join('\n')).not.toContain('hunter2');
});

test('a call that is not answered is logged without its words', async () => {
  const ran = await call(() => Promise.reject(new Error('the door is stuck')));
  expect(ran).toMatchObject({ status: FAILED });
  expect(log.errors).toEqual(['a call was not answered {"who":"ann","error":"the door is stuck"}']);
});
