import { expect, test, vi } from 'vitest';
import type { Answered } from '../../../src/config/code-host.ts';
import type { CodeHostOptions } from '../../../src/config/open-code-host.ts';
import type { Json } from '../../../src/model/json.ts';
import { configOf, tryConfig } from './try-config.ts';
import type { Lines } from './try-config.ts';
import { until } from '../../support/until.ts';

// Threads are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const AT = 'project kate/builder debian/steps/0/run';

interface Asked {
  readonly log: Lines;
  readonly ask: (
    args?: readonly Json[],
    options?: { readonly limitMs?: number; readonly signal?: AbortSignal; readonly place?: string },
  ) => Promise<Answered>;
  readonly step: (index: number) => Promise<unknown>;
}

/** Asks a function of a configuration, given as source text. */
async function asking(fn: string, options: Partial<CodeHostOptions> = {}): Promise<Asked> {
  const { host, hash, log, step } = await tryConfig(configOf(`step('first', ${fn}), sh('true', 'true')`), options);
  return {
    log,
    step,
    ask: (args = [], { limitMs = 60_000, signal, place = AT } = {}) =>
      host.ask({ configHash: hash, place, args, limitMs }, signal),
  };
}

test('a function of the configuration is asked with JSON, and answers with JSON', async () => {
  const { ask } = await asking('async (names, { most }) => ({ chosen: names.slice(0, most), none: undefined })');
  expect(await ask([['sid', 'arm'], { most: 1 }])).toEqual({ ok: { chosen: ['sid'] } });
});

test('one that returns nothing answers null', async () => {
  const { ask } = await asking('() => {}');
  expect(await ask()).toEqual({ ok: null });
});

test('it is called on what it belongs to', async () => {
  const { ask } = await asking('function () { return this.name; }');
  expect(await ask()).toEqual({ ok: 'first' });
});

test.each<[string, RegExp]>([
  [
    "() => { throw new TypeError('no such worker'); }",
    /^TypeError: no such worker \(at trunkline\.config\.ts:\d+:\d+\)$/,
  ],
  ["async () => { await null; throw 'late'; }", /^late$/],
  [
    "() => new Promise(() => setTimeout(() => { throw new Error('from a timer'); }))",
    /^not caught: Error: from a timer/,
  ],
  ['() => 1n', /BigInt/],
  ["() => 'x'.repeat(100_000)", /^it returned more than 65536 characters of JSON$/],
])('what %s comes to is an error of one line', async (fn, text) => {
  const { ask } = await asking(fn);
  const answered = await ask();
  expect(answered).toEqual({ error: expect.stringMatching(text) as string });
});

test('a place where no function is says so, whoever might be meant', async () => {
  const { ask } = await asking('() => 1');
  const places = [
    'project kate/builder debian/nextWorker',
    'project kate/builder fedora/x',
    'kind',
    'constructor',
    'projects/length',
    '',
  ];
  for (const place of places) {
    expect(await ask([], { place })).toEqual({ error: expect.stringContaining(`has no function ${place}`) as string });
  }
});

test('arguments of more than a megabyte are not sent', async () => {
  const { ask } = await asking('() => 1');
  expect(await ask(['x'.repeat(1024 * 1024)])).toEqual({
    error: expect.stringContaining('1048576 characters') as string,
  });
});

test('one that does not answer in time is not waited for, and holds up nobody', async () => {
  const { ask } = await asking('(wait) => wait ? new Promise(() => {}) : 1');
  expect(await ask([true], { limitMs: 50 })).toEqual({ error: 'it has not answered after 50ms' });
  expect(await ask([false])).toEqual({ ok: 1 });
});

test('an abort is the answer at once, also before the question', async () => {
  const { ask } = await asking('() => new Promise(() => {})');
  const abort = new AbortController();
  const asked = ask([], { signal: abort.signal });
  abort.abort(new Error('the master stops'));
  expect(await asked).toEqual({ error: 'the master stops' });
  expect(await ask([], { signal: abort.signal })).toEqual({ error: 'the master stops' });
});

test('one that spins is named, its thread ended, and all others are asked again', async () => {
  const { ask, step, log } = await asking(
    '(spin) => { if (spin) for (;;); return new Promise((resolve) => setTimeout(resolve, 1_500, "there")); }',
    { spinLimitMs: 1_000 },
  );
  const patient = ask([false]);
  const guilty = ask([true]);
  const other = step(1);
  expect(await guilty).toEqual({
    error: expect.stringMatching(/^the function's code spun for [\d.]+s without yielding$/) as string,
  });
  expect(await patient).toEqual({ ok: 'there' });
  expect(await other).toEqual({ result: 'success' });
  expect(log.lines.join('\n')).toMatch(/^project kate\/builder debian\/steps\/0\/run has not yielded for/m);
});

test('one that spins on after its time is over is ended and named, too', async () => {
  const { ask, log } = await asking('(spin) => { if (spin) for (;;); return 1; }', { spinLimitMs: 1_500 });
  expect(await ask([true], { limitMs: 100 })).toEqual({ error: 'it has not answered after 100ms' });
  await until('the thread is ended', () =>
    log.lines.some((line) => /^project kate\/builder debian\/steps\/0\/run spun for .*started anew/.test(line)),
  );
  expect(await ask([false])).toEqual({ ok: 1 });
});
