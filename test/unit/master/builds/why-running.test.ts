import { expect, test } from 'vitest';
import { whyRunning } from '../../../../src/master/builds/why-running.ts';
import type { RunningFacts } from '../../../../src/master/builds/why-running.ts';
import type { CommandRecord } from '../../../../src/model/command.ts';
import type { Json } from '../../../../src/model/json.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 30);
const BUILD: RunningFacts['build'] = {
  id: 7,
  uid: 'U',
  number: 1,
  requestId: 3,
  buildSetId: 2,
  project: 'p',
  builder: 'b',
  worker: 'sid',
  session: 's',
  fence: 1,
  configHash: 'c',
  state: 'running',
  reason: 'r',
  owner: 'o',
  source: {},
  startedAtMs: NOW - 600_000,
};

function record(kind: string, call: Json, state: CommandRecord['state'] = 'started'): CommandRecord {
  return { id: `U.1.${kind}`, buildId: 7, step: 1, key: '1', kind, call, state };
}

function told(facts: Partial<RunningFacts>): readonly string[] {
  const steps = [
    { buildId: 7, index: 0, name: 'checkout', state: 'finished' },
    { buildId: 7, index: 1, name: 'make', state: 'running', startedAtMs: NOW - 300_000 },
  ] as const;
  const nothing = { away: undefined, heldBack: undefined, waitsFor: undefined, records: [], children: [] };
  const all = { ...nothing, build: BUILD, steps, nowMs: NOW, ...facts };
  return whyRunning(all).map(({ code, text }) => `${code}: ${text}`);
}

const STEP = 'step: step make runs since 12:25 UTC: ';

test('a command, and what limits it', () => {
  const run = { command: ['make', '-j4'], silenceMs: 1_200_000, totalMs: 7_200_000 };
  expect(told({ records: [record('run', { command: 'old' }, 'finished'), record('run', run)] })).toEqual([
    `${STEP}its command has not ended: make -j4`,
    'limit: the command is ended after 20m without output, or 2h in all',
  ]);
  const long = told({ records: [record('run', { command: 'x'.repeat(1_000) })] });
  expect(long).toEqual([
    `${STEP}its command has not ended: ${'x'.repeat(200)}…`,
    'limit: no limit of time ends the command',
  ]);
  const script = told({ records: [record('run', { command: ['/bin/sh', '-c', '\nset -u\nmake\n', 'x'] })] });
  expect(script[0]).toBe(`${STEP}its command has not ended: /bin/sh -c …`);
});

test('its locks, before anything of it runs', () => {
  expect(told({ waitsFor: 'waits for lock vpn (exclusive): held by kate/sid#3 since 12:20 UTC' })).toEqual([
    'locks: step make waits for lock vpn (exclusive): held by kate/sid#3 since 12:20 UTC',
  ]);
});

test.each<[string, Json, string]>([
  ['put', { path: 'a' }, 'a file is on its way to the worker: a'],
  ['get', { path: 'a' }, 'a file is on its way from the worker: a'],
  ['mkdir', { path: 'a' }, 'the worker has not answered yet: mkdir a'],
  ['once', { name: 'mail' }, 'the function of once("mail") has not ended'],
  ['boot', {}, 'it waits for the worker, whose machine it is to restart'],
  ['setProperty', { name: 'a', value: 1 }, 'its call setProperty is being answered'],
])('a call: %s', (kind, call, text) => {
  expect(told({ records: [record(kind, call)] })).toEqual([STEP + text]);
});

test('a reboot, and its limit', () => {
  expect(told({ records: [record('reboot', { command: 'r', withinMs: 600_000 })] })).toEqual([
    `${STEP}it waits until the worker's machine is back on another boot`,
    'limit: that is given up after 10m',
  ]);
});

test('what holds it up goes before what it does', () => {
  const build = { ...BUILD, stopReason: 'enough' };
  const lines = told({ build, away: { forMs: 60_000, retryInMs: 1_740_000 }, heldBack: 'output is held back' });
  expect(lines.map((line) => line.split(':')[0])).toEqual(['worker-away', 'held-back', 'stopping', 'step']);
  expect(lines[0]).toContain(
    'sid is away since 12:29 UTC: the build is retried elsewhere if it is not back by 12:59 UTC',
  );
  expect(lines[2]).toContain('(enough)');
  expect(told({ away: { forMs: 60_000 } })[0]).toContain('the build waits for it');
  expect(told({ steps: [] })).toEqual([expect.stringMatching(/^between-steps/)]);
});

test('what it triggered and waits for, once, however many branches wait', () => {
  const call = { schedulers: ['good', 'other/far'], waits: true };
  const children = [{ code: 'child', text: 'it waits for build 8 of kate/good, which runs' }] as const;
  const records = [record('trigger', call), { ...record('trigger', call), id: 'U.1.x', key: '2' }];
  expect(told({ records, children })).toEqual([
    `${STEP}what it triggered by good, other/far has not ended`,
    `${STEP}what it triggered by good, other/far has not ended`,
    'child: it waits for build 8 of kate/good, which runs',
  ]);
  expect(told({ records: [record('run', { command: 'x' })], children })).not.toContainEqual(
    expect.stringContaining('child'),
  );
});
