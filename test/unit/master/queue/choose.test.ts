import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConfigShape } from '../../../../src/config/shape.ts';
import { choose } from '../../../../src/master/queue/choose.ts';
import { heldText } from '../../../../src/master/queue/held-text.ts';
import { queueOrder } from '../../../../src/master/queue/queue-order.ts';
import type { Pair, QueueState } from '../../../../src/master/queue/queue-state.ts';
import { builderShape, configShape, here, NOW, queueState as state, request } from './queue-farm.ts';

function config(workers: Readonly<Record<string, number>>, builders: Readonly<Record<string, string[]>>): ConfigShape {
  return configShape(
    workers,
    Object.entries(builders).map(([name, names]) => builderShape(name, names)),
  );
}

const WORKERS = ['a', 'b', 'c', 'd'];
const BUILDERS = ['x', 'y', 'z'];
const anyWorker = fc.record(
  {
    isConnected: fc.boolean(),
    running: fc.integer({ min: 0, max: 4 }),
    held: fc.constant('is paused'),
    buildsLeft: fc.integer({ min: 0, max: 2 }),
  },
  { requiredKeys: ['isConnected', 'running'] },
);
const anyState = fc
  .record({
    max: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }),
    workers: fc.array(anyWorker, {
      minLength: 4,
      maxLength: 4,
    }),
    on: fc.array(fc.subarray(WORKERS), { minLength: 3, maxLength: 3 }),
    wishes: fc.array(
      fc.record({
        builder: fc.constantFrom(...BUILDERS, 'gone'),
        priority: fc.integer({ min: 0, max: 2 }),
        age: fc.integer({ min: 0, max: 5 }),
      }),
      { maxLength: 12 },
    ),
  })
  .map(({ max, workers, on, wishes }) =>
    state({
      config: config(
        Object.fromEntries(WORKERS.map((name, i) => [name, max[i] ?? 1])),
        Object.fromEntries(BUILDERS.map((name, i) => [name, on[i] ?? []])),
      ),
      workers: new Map(WORKERS.map((name, i) => [name, { sinceMs: NOW, ...workers[i]! }])),
      requests: wishes.map(({ builder, priority, age }, i) => request(i + 1, builder, priority, NOW - age)),
    }),
  );

/** How many of the builds now running and of those just given a worker has. */
function loadOf(current: QueueState, pairs: readonly Pair[], worker: string): number {
  return (current.workers.get(worker)?.running ?? 0) + pairs.filter((pair) => pair.worker === worker).length;
}

test('each request either starts or has a reason, and no worker gets what it may not have', () => {
  fc.assert(
    fc.property(anyState, (current) => {
      const { pairs, reasons } = choose(current);
      const started = pairs.map(({ request }) => request.id);
      expect([...started, ...reasons.keys()].toSorted((a, b) => a - b)).toEqual(current.requests.map(({ id }) => id));
      for (const { worker, builder } of pairs) {
        expect(builder.workers).toContain(worker);
        const { isConnected, held, running, buildsLeft = Infinity } = current.workers.get(worker)!;
        expect([isConnected, held]).toEqual([true, undefined]);
        expect(loadOf(current, pairs, worker) - running).toBeLessThanOrEqual(buildsLeft);
        const max = current.config.workers.find(({ name }) => name === worker)?.maxBuilds;
        expect(loadOf(current, pairs, worker)).toBeLessThanOrEqual(max ?? 0);
      }
    }),
  );
});

test('nobody waits while a worker of theirs has room, and nobody is overtaken for the same workers', () => {
  fc.assert(
    fc.property(anyState, (current) => {
      const { pairs, reasons } = choose(current);
      const builders = current.config.projects[0]!.builders;
      for (const waiting of current.requests.filter(({ id }) => reasons.has(id))) {
        const builder = builders.find(({ name }) => name === waiting.builder);
        for (const name of builder?.workers ?? []) {
          const max = current.config.workers.find((worker) => worker.name === name)!.maxBuilds;
          const { isConnected, held, running, buildsLeft = Infinity } = current.workers.get(name)!;
          if (!isConnected || held !== undefined) continue;
          expect(loadOf(current, pairs, name)).toBeGreaterThanOrEqual(Math.min(max, running + buildsLeft));
        }
        const overtaken = pairs.filter(
          ({ request }) => request.builder === waiting.builder && queueOrder(waiting, request) < 0,
        );
        expect(overtaken).toEqual([]);
      }
    }),
  );
});

test('the choice does not depend on the order in which the rows were read', () => {
  fc.assert(
    fc.property(anyState, (current) => {
      const turned = { ...current, requests: current.requests.toReversed() };
      const ids = (from: QueueState): unknown[] =>
        choose(from).pairs.map(({ request, worker }) => [request.id, worker]);
      expect(ids(turned)).toEqual(ids(current));
    }),
  );
});

test('the least loaded worker is taken, of equals the one used last, then the first by name', () => {
  const farm = config({ a: 2, b: 2, c: 4 }, { x: ['c', 'b', 'a'] });
  const pick = (workers: Record<string, number>, last?: string): string | undefined =>
    choose(
      state({
        config: farm,
        requests: [request(1, 'x')],
        workers: new Map(Object.entries(workers).map(([name, running]) => [name, here(running)])),
        lastUsed: new Map(last === undefined ? [] : [['p/x', last]]),
      }),
    ).pairs[0]?.worker;
  expect(pick({ a: 1, b: 0, c: 3 })).toBe('b');
  expect(pick({ a: 0, b: 0, c: 0 })).toBe('a');
  expect(pick({ a: 0, b: 0, c: 0 }, 'c')).toBe('c');
  expect(pick({ a: 1, b: 1, c: 1 }, 'b')).toBe('c');
});

test('the reason names who is away since when, who is full, and what is gone', () => {
  const farm = config({ sid: 1, fedora: 2, arm: 1 }, { debian: ['sid', 'fedora', 'arm'], lonely: ['arm'] });
  const { reasons } = choose(
    state({
      config: farm,
      requests: [request(1, 'debian'), request(2, 'lonely'), request(3, 'old')],
      workers: new Map([
        ['sid', here(1)],
        ['fedora', { isConnected: false, sinceMs: Date.UTC(2026, 10, 21, 12, 3), running: 0 }],
      ]),
    }),
  );
  expect(Object.fromEntries(reasons)).toEqual({
    1: 'all connected workers of debian are at their maximum: sid runs 1 of 1; fedora is away since 12:03 UTC, arm has never connected',
    2: 'no worker of lonely is connected: arm has never connected',
    3: 'builder p/old is gone from the configuration',
  });
});

test('the reason names who is held, by whom and why', () => {
  const farm = config({ sid: 1, fedora: 1, arm: 1 }, { debian: ['sid', 'arm'], both: ['sid', 'fedora'] });
  const sinceMs = Date.UTC(2026, 10, 21, 12, 30);
  const held = heldText({ hold: { kind: 'paused', by: 'ann', sinceMs, reason: 'disk swap' } }, NOW);
  const { reasons } = choose(
    state({
      config: farm,
      requests: [request(1, 'debian'), request(2, 'both')],
      workers: new Map([
        ['sid', { ...here(), ...(held !== undefined && { held }) }],
        ['fedora', here(1)],
      ]),
    }),
  );
  expect(Object.fromEntries(reasons)).toEqual({
    1: 'no worker of debian takes builds: sid is paused by ann since 12:30 UTC: disk swap, arm has never connected',
    2: 'all connected workers of both are at their maximum: fedora runs 1 of 1; sid is paused by ann since 12:30 UTC: disk swap',
  });
});

test('why a worker is held, in words', () => {
  const leaving = { reason: 'nothing was run there for 600 s', sinceMs: NOW };
  expect(heldText({ leaving }, NOW)).toBe('leaves since 12:30 UTC: nothing was run there for 600 s');
  expect(heldText({ term: { builds: 1, given: 1 } }, NOW)).toBe('leaves: it has had its one build');
  expect(heldText({ term: { builds: 2, given: 1 } }, NOW)).toBeUndefined();
  expect(heldText({ hold: { kind: 'retiring-now', by: 'ann', sinceMs: NOW } }, NOW)).toBe(
    'is being retired by ann since 12:30 UTC',
  );
});

test('an hour of waiting weighs as much as a point of priority, and the order of two requests never changes', () => {
  const HOUR = 3_600_000;
  const [old, urgent, later] = [
    request(1, 'x', 0, NOW),
    request(2, 'x', 1, NOW + HOUR - 1),
    request(3, 'x', 1, NOW + HOUR + 1),
  ];
  expect([later, old, urgent].toSorted(queueOrder).map(({ id }) => id)).toEqual([2, 1, 3]);
  expect([request(5, 'x', 1, NOW + HOUR), request(4, 'x', 0, NOW)].toSorted(queueOrder).map(({ id }) => id)).toEqual([
    4, 5,
  ]);
});

test('what waits for something of its own is not looked at, with its own reason; a veto is of one worker alone', () => {
  const current = state({
    config: config({ a: 1, b: 1 }, { x: ['a', 'b'], y: ['a'] }),
    requests: [request(1, 'x'), request(2, 'x'), request(3, 'y')],
    workers: new Map([
      ['a', here()],
      ['b', here()],
    ]),
    holds: new Map([[1, { text: 'waits for approval' }]]),
    vetoes: new Map([
      ['2 a', { text: 'a is too hot' }],
      ['3 a', { text: 'a is too hot' }],
    ]),
  });
  const { pairs, reasons } = choose(current);
  expect(pairs.map(({ request, worker }) => [request.id, worker])).toEqual([[2, 'b']]);
  expect(Object.fromEntries(reasons)).toEqual({
    1: 'waits for approval',
    3: 'no worker of y takes builds: a: a is too hot',
  });
});
