import { expect, test } from 'vitest';
import { cronMistake, nextCronMs } from '../../../src/config/cron.ts';

function times(at: string, zone: string, from: string, count: number): readonly (string | undefined)[] {
  const found: (string | undefined)[] = [];
  let ms: number | undefined = Date.parse(from);
  while (found.length < count && ms !== undefined) {
    ms = nextCronMs({ at, zone }, ms);
    found.push(ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16));
  }
  return found;
}

test.each<[string, string, string, string, readonly string[]]>([
  [
    'a fixed time that the clocks skip in March comes after the gap',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-03-28T00:00Z',
    ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
  ],
  [
    'and one that comes twice in October is meant once',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-10-24T00:00Z',
    ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
  ],
  [
    'steps go on by real time over the gap',
    '*/30 * * * *',
    'Europe/Berlin',
    '2026-03-29T00:00Z',
    ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'],
  ],
  [
    'and over the hour that comes twice',
    '*/30 * * * *',
    'Europe/Berlin',
    '2026-10-24T23:30Z',
    ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
  ],
  [
    'two fixed times that meet at the end of the gap are one',
    '0 2,3 * * *',
    'Europe/Berlin',
    '2026-03-29T00:00Z',
    ['2026-03-29T01:00', '2026-03-30T00:00', '2026-03-30T01:00'],
  ],
  ['a leap day', '0 0 29 2 *', 'UTC', '2026-01-01T00:00Z', ['2028-02-29T00:00', '2032-02-29T00:00']],
  ['the last day of a month', '0 0 L * *', 'UTC', '2026-01-31T00:00Z', ['2026-02-28T00:00', '2026-03-31T00:00']],
  ['the last Friday', '0 0 * * 5L', 'UTC', '2026-01-01T00:00Z', ['2026-01-30T00:00', '2026-02-27T00:00']],
  ['the second Friday', '0 0 * * FRI#2', 'UTC', '2026-01-01T00:00Z', ['2026-01-09T00:00', '2026-02-13T00:00']],
  ['Sunday is 0 and 7', '0 0 * * 7', 'UTC', '2026-01-01T00:00Z', ['2026-01-04T00:00', '2026-01-11T00:00']],
])('%s: %s in %s', (_, at, zone, from, expected) => {
  expect(times(at, zone, from, expected.length)).toEqual(expected);
});

test.each([
  ['0 3 * * *', 'UTC', undefined],
  ['0 3 * * *', 'Europe/Berlin', undefined],
  ['0 0 29 2 *', 'UTC', undefined],
  ['0 0 31 2 *', 'UTC', '"0 0 31 2 *" never comes: there is no such day'],
  ['0 3 * * *', 'Mars/Base', '"Mars/Base" is no time zone'],
  ['0 3 * * *', '', '"" is no time zone'],
  ['61 * * * *', 'UTC', '"61 * * * *" is no rule for times: write five fields'],
  ['0 0 3 * * *', 'UTC', 'is no rule for times'],
  ['2026-01-01T00:00:00', 'UTC', 'is no rule for times'],
  ['@daily', 'UTC', 'is no rule for times'],
  ['', 'UTC', 'is no rule for times'],
])('a rule is told to be none where it is: %j in %j', (at, zone, told) => {
  const mistake = cronMistake({ at, zone });
  if (told === undefined) expect(mistake).toBeUndefined();
  else expect(mistake).toContain(told);
});
