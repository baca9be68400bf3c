import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { Liveness } from '../../../src/transport/liveness.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import { openWorkerLink } from '../../../src/transport/worker-link.ts';
import { until } from '../../support/ssh-stand.ts';
import { HELLO } from '../../support/hello.ts';

function stand(): { clock: FakeClock; liveness: Liveness; pings: number[]; dead: number[] } {
  const clock = new FakeClock();
  const pings: number[] = [];
  const dead: number[] = [];
  const liveness = new Liveness({
    clock,
    heartbeatMs: 15_000,
    deadMs: 45_000,
    ping: (n) => pings.push(n),
    dead: (silentMs) => dead.push(silentMs),
  });
  return { clock, liveness, pings, dead };
}

describe('liveness', () => {
  it('pings by itself, and calls a peer dead that is silent for 45 s, not one that says anything', () => {
    const { clock, liveness, pings, dead } = stand();
    for (let i = 0; i < 20; i++) {
      clock.advance(10_000);
      liveness.heard();
    }
    expect(pings.length).toBeGreaterThan(12);
    expect(dead).toEqual([]);
    clock.advance(44_000);
    expect(dead).toEqual([]);
    clock.advance(6_000);
    expect(dead.length).toBeGreaterThan(0);
  });

  it('measures how long an answer took, once, also when a later ping went out meanwhile', () => {
    const { clock, liveness } = stand();
    liveness.pingNow();
    clock.advance(30);
    liveness.pingNow();
    clock.advance(20);
    expect(liveness.answered(1)?.roundTripMs).toBe(50);
    expect(liveness.answered(2)?.roundTripMs).toBe(20);
    expect([liveness.answered(2), liveness.answered(99)]).toEqual([undefined, undefined]);
    for (let n = 0; n < 200; n++) liveness.pingNow();
    expect(liveness.answered(3)).toBeUndefined();
  });

  it('does not blame the peer for the time in which our own loop stood still', () => {
    let nowMs = 0;
    const timers: (() => void)[] = [];
    const dead: number[] = [];
    const clock = {
      now: () => nowMs,
      monotonic: () => nowMs,
      sinceBoot: () => nowMs,
      after: (_ms: number, fn: () => void) => (timers.push(fn), () => {}),
    };
    const liveness = new Liveness({
      clock,
      heartbeatMs: 1e9,
      deadMs: 45_000,
      ping: () => {},
      dead: (ms) => dead.push(ms),
    });
    liveness.heard();
    const look = (): void => timers.at(-1)!();
    nowMs += 600_000;
    look();
    expect(dead).toEqual([]);
    for (let i = 0; i < 10; i++) {
      nowMs += 5_000;
      look();
    }
    expect(dead.length).toBeGreaterThan(0);
  });

  it('no timer is left when it stops', () => {
    const { clock, liveness } = stand();
    liveness.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('a half-open line', () => {
  it('is found dead by both sides within a minute, and the vitals of the last ping are known', async () => {
    const { worker, master, faults } = memoryCarriers();
    const clock = new FakeClock();
    const [{ link: far }, { link: near }] = await Promise.all([
      openMasterLink(master, {
        clock,
        logger: silentLogger,
        principalName: 'w1',
        admit: () => Promise.resolve({ epoch: 1, masterId: 'm' }),
      }),
      openWorkerLink(worker, { clock, hello: HELLO, logger: silentLogger, vitals: () => ({ freeBytes: 5 }) }),
    ]);
    clock.advance(15_000);
    await until('the ping came', () => far.vitals().freeBytes === 5);
    faults.stall('worker');
    faults.stall('master');
    for (let i = 0; i < 12; i++) clock.advance(5_000);
    expect(await near.closed).toMatchObject({ cause: 'dead' });
    expect((await far.closed).cause).toMatch(/dead|lost/);
    await until('no timer is left', () => clock.pending === 0);
  });

  it('that never says hello is ended', async () => {
    const { master } = memoryCarriers();
    const clock = new FakeClock();
    const opened = openMasterLink(master, {
      clock,
      logger: silentLogger,
      principalName: 'w1',
      admit: () => Promise.reject(new Error('not to be asked')),
    });
    const refused = expect(opened).rejects.toMatchObject({ code: 'hello-timeout' });
    clock.advance(10_000);
    await refused;
    await master.closed;
    expect(clock.pending).toBe(0);
  });
});
