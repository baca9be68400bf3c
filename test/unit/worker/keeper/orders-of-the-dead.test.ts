import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { SEED, seeded } from '../../../support/seed.ts';
import { finished, SpoolFixture } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 900_000, hookTimeout: 180_000 });

/** `TRUNKLINE_ORDER_ROUNDS=N` plays so many rounds. */
const ROUNDS = Number(process.env['TRUNKLINE_ORDER_ROUNDS'] ?? 12);
/** From the order to its claim on the disk. */
const WITHIN_MS = 8;

const DAEMON = fileURLToPath(new URL('../../../../dist/test/unit/worker/keeper/orders-main.js', import.meta.url));

async function daemon(spool: SpoolFixture, round: number): Promise<ChildProcessWithoutNullStreams> {
  const first = spool.spec(`first-${round}`, ['true']);
  const args = [DAEMON, spool.dir, JSON.stringify(first), JSON.stringify(noted(spool, round))];
  const child = spawn(process.execPath, args);
  child.stderr.resume();
  await once(child.stdout, 'data');
  return child;
}

/** A command that notes its start. */
function noted(spool: SpoolFixture, round: number): ReturnType<SpoolFixture['spec']> {
  return spool.shell(`second-${round}`, `echo ${round} >> starts`);
}

async function starts(spool: SpoolFixture, round: number): Promise<number> {
  const noted = await readFile(join(spool.work, 'starts'), 'utf8').catch(() => '');
  return noted.split('\n').filter((line) => line === String(round)).length;
}

/** What the next daemon finds is the truth: a command that it does not find never starts, unless it is asked for again. */
async function judge(spool: SpoolFixture, round: number, isAskedAgain: boolean): Promise<boolean> {
  const command = `second-${round}`;
  const keeper = await spool.open();
  const isHeld = (await keeper.list()).some((held) => held.command === command);
  if (isAskedAgain) await keeper.start(noted(spool, round));
  if (isHeld || isAskedAgain) await finished(keeper, command);
  // Through the same keeper, and so after anything that it may still have been ordered.
  await keeper.start(spool.spec(`last-${round}`, ['true']));
  await finished(keeper, `last-${round}`);
  const told = `round ${round}, seed ${SEED}, ${isHeld ? 'held' : 'not held'}, ${isAskedAgain ? 'asked again' : 'left'}`;
  expect(await starts(spool, round), told).toBe(isHeld || isAskedAgain ? 1 : 0);
  await keeper.close();
  return isHeld;
}

test(`a daemon killed between its order and the claim: the command starts once, or never (seed ${SEED})`, async () => {
  const spool = await SpoolFixture.make();
  const random = seeded(SEED);
  let held = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const child = await daemon(spool, round);
    child.stdin.write('go');
    await sleep(random() * WITHIN_MS);
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (await judge(spool, round, random() < 0.5)) held++;
  }
  if (ROUNDS > 12) process.stdout.write(`${held} of ${ROUNDS} orders were claimed, seed ${SEED}\n`);
});

test('an order that waits in the socket of a dead daemon is carried out before the next daemon looks', async () => {
  const spool = await SpoolFixture.make();
  for (const [round, isAskedAgain] of [true, false].entries()) {
    const child = await daemon(spool, round);
    const keeper = await spool.keeperPid(`first-${round}`);
    process.kill(keeper, 'SIGSTOP');
    try {
      child.stdin.write('go');
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
    } finally {
      // The next daemon connects in the meantime, as it does where a keeper is far too busy.
      setTimeout(() => process.kill(keeper, 'SIGCONT'), 300);
    }
    expect(await judge(spool, round, isAskedAgain)).toBe(true);
  }
});
