import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CreditAccount, CreditGranter, CreditPool } from '../../../src/protocol/credit.ts';
import type { CreditWindows } from '../../../src/protocol/credit.ts';
import { KiB, LIMITS, MiB } from '../../../src/protocol/limits.ts';

const WINDOWS: CreditWindows = { sessionBytes: 128 * KiB, workerFirstBytes: 256 * KiB, workerMostBytes: 1 * MiB };
const FRAME = LIMITS.dataFrameBytes;

describe('credit', () => {
  it('lets data flow for ever, never beyond the windows, whatever the pace of the receiver', () => {
    const step = fc.record({
      session: fc.constantFrom('a', 'b', 'c'),
      size: fc.integer({ min: 1, max: FRAME }),
      consume: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), (steps) => {
        const pool = new CreditPool(4 * MiB);
        const granter = new CreditGranter(WINDOWS, pool);
        const account = new CreditAccount();
        account.grant(granter.start());
        for (const session of ['a', 'b', 'c']) account.grant(granter.open(session));
        const held: { session: string; size: number }[] = [];
        const consumeOne = (): void => {
          const next = held.shift();
          if (next) for (const grant of granter.consumed(next.session, next.size)) account.grant(grant);
        };
        for (const { session, size, consume } of steps) {
          if (account.spend(session, size)) {
            granter.received(session, size);
            held.push({ session, size });
          }
          if (consume) consumeOne();
          expect(granter.heldBytes).toBe(held.reduce((bytes, { size }) => bytes + size, 0));
          expect(granter.heldBytes).toBeLessThanOrEqual(WINDOWS.workerMostBytes);
        }
        while (held.length > 0) consumeOne();
        // Nothing is stuck: a whole frame of any session fits when all was dealt with.
        for (const session of ['a', 'b', 'c']) expect(account.available(session)).toBeGreaterThanOrEqual(FRAME);
        granter.close();
        expect(pool.leftBytes).toBe(4 * MiB);
      }),
      { seed: 9, numRuns: 60 },
    );
  });

  it('is refused to a sender that takes more than it was granted', () => {
    const granter = new CreditGranter(WINDOWS);
    granter.start();
    granter.open('a');
    granter.received('a', WINDOWS.sessionBytes);
    expect(() => granter.received('a', 1)).toThrow(expect.objectContaining({ code: 'flow-violation' }));
    expect(() => granter.received('b', 1)).toThrow(expect.objectContaining({ code: 'unknown-session' }));
  });

  it('counts a worker as a whole beside its sessions', () => {
    const granter = new CreditGranter(WINDOWS);
    const account = new CreditAccount();
    account.grant(granter.start());
    for (const session of ['a', 'b', 'c']) account.grant(granter.open(session));
    expect(account.spend('a', 128 * KiB)).toBe(true);
    expect(account.spend('b', 100 * KiB)).toBe(true);
    expect(account.available('c')).toBe(28 * KiB);
    expect(account.spend('c', 29 * KiB)).toBe(false);
    expect(account.available('c')).toBe(28 * KiB);
  });

  it('is granted in steps of a quarter window at least, and old totals change nothing', () => {
    const granter = new CreditGranter(WINDOWS);
    const account = new CreditAccount();
    account.grant(granter.start());
    account.grant(granter.open('a'));
    expect(granter.open('a')).toEqual({ session: 'a', total: 128 * KiB });
    granter.received('a', 128 * KiB);
    expect(granter.consumed('a', 32 * KiB - 1)).toEqual([]);
    expect(granter.consumed('a', 1)).toEqual([{ session: 'a', total: 160 * KiB }]);
    account.grant({ session: 'a', total: 160 * KiB });
    account.grant({ session: 'a', total: 5 });
    expect(account.available('a')).toBe(160 * KiB);
  });

  it('grows for a worker that uses it, out of the pool, and shrinks when the pool is short', () => {
    const pool = new CreditPool(2 * MiB);
    const granter = new CreditGranter({ ...WINDOWS, sessionBytes: 1 * MiB }, pool);
    let worker = granter.start().total;
    granter.open('a');
    let received = 0;
    const useUp = (): number => {
      const outstanding = worker - received;
      granter.received('a', outstanding);
      received += outstanding;
      for (const { session, total } of granter.consumed('a', outstanding)) if (session === '') worker = total;
      return worker - received;
    };
    expect([useUp(), useUp(), useUp()]).toEqual([512 * KiB, 1 * MiB, 1 * MiB]);
    expect(pool.leftBytes).toBe(1 * MiB);
    const others = [1, 2, 3].map(() => new CreditGranter(WINDOWS, pool));
    expect(pool.isShort).toBe(true);
    expect(useUp()).toBe(256 * KiB);
    expect(pool.leftBytes).toBe(1 * MiB);
    others.forEach((other) => other.close());
    granter.close();
    expect(pool.leftBytes).toBe(2 * MiB);
  });
});
