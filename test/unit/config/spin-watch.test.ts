import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { SpinWatch } from '../../../src/config/spin-watch.ts';

function watched(limitMs: number) {
  const clock = new FakeClock();
  const seen: string[] = [];
  const thread = { isAwake: true };
  let [asked, answered] = [0, 0];
  const watch = new SpinWatch({
    clock,
    limitMs,
    ask: () => {
      asked += 1;
      if (thread.isAwake) answered = asked;
    },
    hasAnswered: () => asked === answered,
    onSlow: (ms) => seen.push(`slow ${ms}`),
    onLimit: (ms) => seen.push(`limit ${ms}`),
  });
  const wake = (): void => {
    thread.isAwake = true;
    answered = asked;
  };
  return { clock, seen, thread, watch, wake };
}

test('a thread that does not answer is named within a second, once, and given up at the limit', () => {
  const { clock, seen, thread, watch } = watched(20_000);
  watch.start();
  clock.advance(10_000);
  thread.isAwake = false;
  clock.advance(1_000);
  expect(seen).toEqual(['slow 500']);
  clock.advance(60_000);
  expect(seen).toEqual(['slow 500', 'limit 20000']);
});

test('one that wakes in time is left alone, and a second spell is named again', () => {
  const { clock, seen, thread, watch, wake } = watched(20_000);
  watch.start();
  for (let spell = 0; spell < 2; spell++) {
    thread.isAwake = false;
    clock.advance(15_000);
    wake();
    clock.advance(1_000);
  }
  expect(seen).toEqual(['slow 500', 'slow 500']);
});
