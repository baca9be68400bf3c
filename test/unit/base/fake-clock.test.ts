import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { sleep } from '../../../src/base/sleep.ts';

describe('the fake clock', () => {
  it('fires timers in the order of their time, then of their making, each at its own time', () => {
    const clock = new FakeClock(1_000);
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.now()}`);
    clock.after(20, note('late'));
    clock.after(10, note('first'));
    clock.after(10, note('second'));
    clock.advance(20);
    expect(fired).toEqual(['first@1010', 'second@1010', 'late@1020']);
  });

  it('fires a timer that a timer set, when it falls due in the same advance', () => {
    const clock = new FakeClock();
    let count = 0;
    const again = (): void => {
      count += 1;
      clock.after(10, again);
    };
    clock.after(10, again);
    clock.advance(35);
    expect(count).toBe(3);
    expect(clock.pending).toBe(1);
  });

  it('does not fire what was cancelled, nor move timers when the wall clock is stepped', () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    clock.after(10, () => fired.push('cancelled'))();
    clock.after(10, () => fired.push('kept'));
    clock.stepWall(3_600_000);
    expect(fired).toEqual([]);
    clock.advance(10);
    expect(fired).toEqual(['kept']);
    expect([clock.now(), clock.monotonic()]).toEqual([3_600_010, 10]);
  });
});

describe('sleep', () => {
  it('ends with its time, or at once with its signal, and leaves no timer', async () => {
    const clock = new FakeClock();
    const full = sleep(clock, 100);
    clock.advance(100);
    await full;
    const stop = new AbortController();
    const cut = sleep(clock, 100, stop.signal);
    stop.abort();
    await cut;
    await sleep(clock, 100, stop.signal);
    expect(clock.pending).toBe(0);
  });
});
