import { afterEach, beforeEach, expect, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

/** With `TRUNKLINE_SILENT_LINE=full` the heartbeat is the default one, 15 s; at the gate it is 1 s. */
const IS_FULL = process.env['TRUNKLINE_SILENT_LINE'] === 'full';
/** Within which both sides notice, with the default heartbeat. */
const NOTICED_MS = 60_000;
const BOUND_MS = 2 * NOTICED_MS;

let site: LongBuild;

beforeEach(async () => {
  const heartbeat = IS_FULL ? {} : { masterOptions: "heartbeat: '1s'," };
  site = await LongBuild.create({ isRelayed: true, bytesPerSecond: 1_000_000, ...heartbeat });
  await site.begin();
});
afterEach(() => site.close());

/** When the daemon's log said these words, in ms after `sinceMs`. */
async function said(daemon: Daemon, words: RegExp, sinceMs: number): Promise<number> {
  const line = await until(
    `a log says ${words.source}`,
    () =>
      daemon
        .stderr()
        .split('\n')
        .find((one) => words.test(one)),
    BOUND_MS,
  );
  return Date.parse(line.split(' ')[0] ?? '') - sinceMs;
}

test('a line that is silent both ways with its sockets open is noticed by both sides, and the build goes on after it', async () => {
  const stalledAt = Date.now();
  // The old connection for good: neither hears of it when the other one closes its end. New ones until `flow`.
  site.relay.abandon();
  site.relay.stall();
  const noticed = await Promise.all([
    said(site.master, /a worker is gone/, stalledAt),
    said(site.worker, /disconnected.*no byte came/, stalledAt),
  ]);
  expect(Math.max(...noticed)).toBeLessThan(NOTICED_MS);
  const workers = JSON.parse((await site.farm.ssh(['workers', '--json'])).text) as { state: string }[];
  expect(workers).toMatchObject([{ state: 'disconnected' }]);
  if (IS_FULL) process.stdout.write(`the silence was noticed after ${noticed.join(' and ')} ms\n`);
  site.relay.flow();
  await site.storesMore();
  await site.endsWell();
});

test('a worker whose line is silent comes back by another one, and what the old one held does not count', async () => {
  const abandonedAt = Date.now();
  site.relay.abandon();
  const noticed = await said(site.worker, /disconnected.*no byte came/, abandonedAt);
  expect(noticed).toBeLessThan(NOTICED_MS);
  await until('it is here again', () => site.master.stderr().split('a worker is here').length > 2, BOUND_MS);
  site.relay.release();
  await site.storesMore();
  await site.endsWell();
});
