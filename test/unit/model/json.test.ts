import { expect, test } from 'vitest';
import { isJson } from '../../../src/model/json.ts';

test('what JSON holds comes back as it was', () => {
  const parsed: unknown = JSON.parse('{"__proto__": {"a": [null, true, 1e300, "x", {}]}}');
  for (const value of [null, true, 0, '', [], {}, parsed, Object.create(null)]) expect(isJson(value)).toBe(true);
});

test('what it does not hold, or not as it is, is none', () => {
  const others = [
    undefined,
    Number.NaN,
    Infinity,
    1n,
    () => 1,
    Symbol('s'),
    new Date(),
    new Map(),
    [undefined],
    { a: /x/ },
  ];
  for (const value of others) expect([value, isJson(value)]).toEqual([value, false]);
});

test('a circle, depth and breadth come to an end', () => {
  const circle: unknown[] = [];
  circle.push(circle, circle);
  let deep: unknown = 1;
  for (let n = 0; n < 200; n++) deep = [deep];
  let doubled: unknown = 1;
  for (let n = 0; n < 64; n++) doubled = [doubled, doubled];
  for (const value of [circle, deep, doubled, Array.from({ length: 200_000 }, () => 1)])
    expect(isJson(value)).toBe(false);
});
