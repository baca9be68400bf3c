import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { Guests } from '../../../src/web/hooks/guests.ts';

const LIMITS = { underWay: 2, requests: 5, refused: 3 };

function stand() {
  const clock = new FakeClock();
  const lines: unknown[] = [];
  const log = (_message: string, fields?: Record<string, unknown>): void => void lines.push(fields?.['why']);
  const guests = new Guests(clock, { debug: log, info: log, warn: log, error: log }, LIMITS);
  const ask = (address: string): boolean => {
    const mayEnter = guests.enter(address);
    guests.leave(address);
    return mayEnter;
  };
  return { clock, lines, guests, ask };
}

test('an address has so many requests under way, and so many a minute; another one has its own', () => {
  const { clock, guests, ask } = stand();
  expect([guests.enter('a'), guests.enter('a'), guests.enter('a')]).toEqual([true, true, false]);
  expect(ask('b')).toBe(true);
  for (let i = 0; i < 3; i++) guests.leave('a');
  expect([ask('a'), ask('a'), ask('a')]).toEqual([true, true, false]);
  clock.advance(60_000);
  expect(ask('a')).toBe(true);
});

test('who was refused too often waits for the minute to be over, and is told of once in it', () => {
  const { clock, lines, guests, ask } = stand();
  for (const why of ['one', 'two', 'three']) guests.refuse('a', why, {});
  expect([ask('a'), ask('b')]).toEqual([false, true]);
  clock.advance(60_000);
  expect(ask('a')).toBe(true);
  guests.refuse('a', 'four', {});
  expect(lines).toEqual(['one', 'four']);
});

test('a network of IPv6 is one, and what is kept of addresses has an end', () => {
  const { guests, ask } = stand();
  for (let i = 0; i < 3; i++) guests.refuse(`2001:db8::${i}`, 'x', {});
  expect([ask('2001:db8::ffff'), ask('2001:db8:1::1')]).toEqual([false, true]);
  guests.enter('stays');
  for (let i = 0; i < 10_001; i++) ask(`10.0.${i >> 8}.${i & 255}`);
  // Forgotten, but for what it has under way.
  expect(ask('2001:db8::ffff')).toBe(true);
  expect([guests.enter('stays'), guests.enter('stays')]).toEqual([true, false]);
});
