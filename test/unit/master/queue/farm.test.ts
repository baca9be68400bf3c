import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostShape, WorkerShape } from '../../../../src/config/shape.ts';
import { choose } from '../../../../src/master/queue/choose.ts';
import { heldText } from '../../../../src/master/queue/held-text.ts';
import type { QueueState, QueueWorker } from '../../../../src/master/queue/queue-state.ts';
import { Spacing } from '../../../../src/master/queue/spacing.ts';
import { builderShape, configShape, here as connected, NOW, queueState, request } from './queue-farm.ts';

interface Wish {
  readonly hosts?: readonly HostShape[];
  readonly workers: readonly WorkerShape[];
  readonly here: Readonly<Record<string, QueueWorker>>;
  readonly requests: number;
}

/** So many requests of one builder that may use all of the workers. */
function state({ hosts = [], workers, here, requests }: Wish): QueueState {
  const builder = builderShape(
    'debian',
    workers.map(({ name }) => name),
  );
  return queueState({
    requests: Array.from({ length: requests }, (_, index) => request(index + 1, 'debian')),
    workers: new Map(Object.entries(here)),
    config: configShape({}, [builder], { hosts, workers }),
  });
}

function here(running: number, startedAtMs?: number): QueueWorker {
  return { ...connected(running), ...(startedAtMs !== undefined && { startedAtMs }) };
}

const onVm1 = (name: string): WorkerShape => ({ name, maxBuilds: 4, host: 'vm1' });

test('a host takes no more builds than its maximum, over all its workers', () => {
  const workers = [onVm1('a'), onVm1('b'), { name: 'c', maxBuilds: 1, host: 'vm2' }];
  const current = state({
    hosts: [{ name: 'vm1', maxBuilds: 3 }],
    workers,
    here: { a: here(1), b: here(0), c: here(1) },
    requests: 3,
  });
  const { pairs, reasons } = choose(current);
  expect(pairs.map(({ request: { id }, worker }) => [id, worker])).toEqual([
    [1, 'b'],
    [2, 'a'],
  ]);
  expect(reasons.get(3)).toBe(
    'all connected workers of debian are at their maximum: host vm1 runs 3 of 3, c runs 1 of 1',
  );
});

test('no host and no worker is ever given more than it may have, and nobody waits while there is room', () => {
  const worker = fc.record({
    host: fc.constantFrom('h1', 'h2', 'free'),
    maxBuilds: fc.integer({ min: 1, max: 4 }),
    running: fc.integer({ min: 0, max: 4 }),
    startSpacingMs: fc.option(fc.constant(30_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(worker, { minLength: 1, maxLength: 6 }),
      fc.record({ h1: fc.integer({ min: 1, max: 5 }), h2: fc.integer({ min: 1, max: 5 }) }),
      fc.integer({ min: 1, max: 12 }),
      (drawn, maxima, requests) => {
        const workers = drawn.map(({ host, maxBuilds, startSpacingMs }, index) => ({
          name: `w${index}`,
          host,
          maxBuilds,
          ...(startSpacingMs !== undefined && { startSpacingMs }),
        }));
        const hosts = Object.entries(maxima).map(([name, maxBuilds]) => ({ name, maxBuilds }));
        const running = new Map(drawn.map((one, index) => [`w${index}`, one.running]));
        const { pairs } = choose(
          state({ hosts, workers, here: Object.fromEntries([...running].map(([n, r]) => [n, here(r)])), requests }),
        );
        const given = (name: string): number => pairs.filter((pair) => pair.worker === name).length;
        const onHost = (host: string): number =>
          workers
            .filter((one) => one.host === host)
            .reduce((sum, { name }) => sum + running.get(name)! + given(name), 0);
        for (const { name, maxBuilds, startSpacingMs } of workers) {
          if (given(name) > 0) expect(running.get(name)! + given(name)).toBeLessThanOrEqual(maxBuilds);
          if (startSpacingMs !== undefined) expect(given(name)).toBeLessThanOrEqual(1);
        }
        for (const { name, maxBuilds } of hosts) {
          if (workers.some((one) => one.host === name && given(one.name) > 0))
            expect(onHost(name)).toBeLessThanOrEqual(maxBuilds);
        }
        if (pairs.length === requests) return;
        for (const { name, host, maxBuilds, startSpacingMs } of workers) {
          const hasRoom =
            running.get(name)! + given(name) < maxBuilds &&
            (startSpacingMs === undefined || given(name) === 0) &&
            (host === 'free' || onHost(host) < maxima[host as 'h1']);
          expect(hasRoom).toBe(false);
        }
      },
    ),
  );
});

test('starts on a worker and on a host keep their distance, and whoever waits is told until when', () => {
  const current = state({
    hosts: [{ name: 'vm1', startSpacingMs: 30_000 }],
    workers: [onVm1('a'), onVm1('b'), { name: 'c', maxBuilds: 2, startSpacingMs: 5_000 }],
    here: { a: here(1, NOW - 20_000), b: here(0, NOW - 3_600_000), c: here(0, NOW - 5_000) },
    requests: 2,
  });
  const { pairs, reasons } = choose(current);
  expect(pairs.map(({ worker }) => worker)).toEqual(['c']);
  expect(reasons.get(2)).toBe(
    'all connected workers of debian are at their maximum: vm1 starts one build per 30s, next at 12:30:10 UTC, c starts one build per 5s, next at 12:30:05 UTC',
  );
});

test('a start that lies ahead, because the clock was put back, holds up nobody', () => {
  const workers = [{ name: 'c', maxBuilds: 2, startSpacingMs: 5_000 }];
  const { pairs } = choose(state({ workers, here: { c: here(0, NOW + 3_600_000) }, requests: 2 }));
  expect(pairs).toHaveLength(1);
});

test('the queue is looked at again when the next place may start a build', () => {
  const { config } = state({
    hosts: [{ name: 'vm1', startSpacingMs: 30_000 }],
    workers: [onVm1('a'), { name: 'c', maxBuilds: 2, startSpacingMs: 5_000 }, { name: 'd', maxBuilds: 1 }],
    here: {},
    requests: 0,
  });
  const next = (starts: Readonly<Record<string, number>>): number =>
    new Spacing(config, new Map(Object.entries(starts)), NOW).nextMs();
  expect(next({ a: NOW - 1_000, c: NOW - 1_000, d: NOW })).toBe(NOW + 4_000);
  expect(next({ a: NOW - 1_000, c: NOW - 5_000 })).toBe(NOW + 29_000);
  expect(next({ d: NOW })).toBe(Infinity);
});

test('a worker that is set aside says until when, how often and why; what an operator or it itself wishes comes first', () => {
  const aside = { faults: 1, untilMs: NOW + 10_000, reason: 'no space left' };
  expect(heldText({ aside }, NOW)).toBe(
    'is set aside until 12:30:10 UTC: a build ended by its own fault: no space left',
  );
  expect(heldText({ aside: { ...aside, faults: 3 } }, NOW)).toContain(': 3 builds in a row ended by its own fault');
  expect(heldText({ aside }, NOW + 10_000)).toBeUndefined();
  expect(heldText({ aside, hold: { kind: 'paused', by: 'ann', sinceMs: NOW } }, NOW)).toMatch(/^is paused/);
  expect(heldText({ aside, term: { builds: 1, given: 1 } }, NOW)).toMatch(/^leaves/);
});
