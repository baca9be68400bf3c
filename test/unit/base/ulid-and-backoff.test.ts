import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/base/backoff.ts';
import { ulid } from '../../../src/base/ulid.ts';

describe('a ULID', () => {
  it('encodes the time of the specification’s example', () => {
    expect(ulid(1_469_918_176_385).slice(0, 10)).toBe('01ARYZ6S41');
    expect(ulid(2 ** 48 - 1).slice(0, 10)).toBe('7ZZZZZZZZZ');
  });

  it('is unlike any other and sorts by time', () => {
    const times = [0, 1, 31, 32, 1_000, 1_795_243_254_399, 1_795_243_254_400];
    const ids = times.map((time) => ulid(time));
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(Array.from({ length: 1_000 }, () => ulid(5))).size).toBe(1_000);
    expect(ids.every((id) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id))).toBe(true);
  });
});

describe('a back-off', () => {
  it('draws from bounds that double up to the most, and begins again after a success', () => {
    const backoff = new Backoff({ firstMs: 500, maxMs: 3_000, random: () => 0.5 });
    expect(Array.from({ length: 5 }, () => backoff.next())).toEqual([250, 500, 1_000, 1_500, 1_500]);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });

  it('may draw no delay at all: full jitter begins at 0', () => {
    expect(new Backoff({ firstMs: 500, maxMs: 3_000, random: () => 0 }).next()).toBe(0);
  });
});
