import { describe, expect, it } from 'vitest';
import { RESULTS } from '../../../src/model/result.ts';
import { LONGEST_PAUSE_MS, RETRY_RULES, pauseBefore, retryCause } from '../../../src/model/retry.ts';

const NONE = { lost: 0, exception: 0, failure: 0 };

describe('a retry', () => {
  it('has a cause with each result that another try may better', () => {
    const causes = RESULTS.map((result) => [result, retryCause(result)]);
    expect(Object.fromEntries(causes)).toEqual({
      cancelled: undefined,
      retry: 'lost',
      exception: 'exception',
      failure: 'failure',
      warnings: undefined,
      success: undefined,
      skipped: undefined,
    });
  });

  it('is made for lost workers only, at once, if nobody says otherwise', () => {
    expect(pauseBefore(RETRY_RULES, 'lost', { ...NONE, lost: 8 })).toBe(0);
    expect(pauseBefore(RETRY_RULES, 'lost', { ...NONE, lost: 9 })).toBeUndefined();
    expect(pauseBefore(RETRY_RULES, 'exception', NONE)).toBeUndefined();
    expect(pauseBefore(RETRY_RULES, 'failure', NONE)).toBeUndefined();
  });

  it('counts each cause by itself, and pauses longer from one to the next whatever they were for', () => {
    const rules = { lost: 2, exception: 1, failure: 1, pauseMs: 1_000 };
    expect(pauseBefore(rules, 'exception', { lost: 2, exception: 0, failure: 0 })).toBe(4_000);
    expect(pauseBefore(rules, 'lost', { lost: 2, exception: 0, failure: 0 })).toBeUndefined();
    expect(pauseBefore(rules, 'failure', { lost: 0, exception: 1, failure: 1 })).toBeUndefined();
  });

  it('pauses no longer than an hour', () => {
    expect(pauseBefore({ ...NONE, lost: 99, pauseMs: 60_000 }, 'lost', { ...NONE, lost: 98 })).toBe(LONGEST_PAUSE_MS);
  });
});
