import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Keeper } from '../../../../src/worker/keeper/keeper.ts';
import { finished, printed, SpoolFixture } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const SHIM = resolve(import.meta.dirname, '../../../../dist/test/support/stepped-clock-main.js');
const HOUR_MS = 3_600_000;

let spool: SpoolFixture;
let keeper: Keeper;
beforeEach(async () => {
  spool = await SpoolFixture.make();
  // For the keeper that is started here: it gets this process's environment.
  vi.stubEnv('NODE_OPTIONS', `--import=${pathToFileURL(SHIM).href}`);
  vi.stubEnv('STEPPED_CLOCK', join(spool.work, 'clock'));
  await writeFile(clockFile(), String(2 * HOUR_MS));
  keeper = await spool.open();
});
afterEach(() => vi.unstubAllEnvs());

function clockFile(): string {
  return join(spool.work, 'clock.keeper');
}

for (const [name, steppedTo] of [
  ['back', HOUR_MS],
  ['ahead', 3 * HOUR_MS],
] as const) {
  test(`a keeper whose wall clock goes an hour ${name} keeps to the limits of time, and measures what a command took`, async () => {
    const begin = performance.now();
    await keeper.start(spool.shell('silent', 'echo once; sleep 1000', { silenceMs: 2_000 }));
    await keeper.start(spool.shell('total', 'while :; do echo again; sleep 0.1; done', { totalMs: 2_000 }));
    await keeper.start(spool.shell('ends', 'echo begun; sleep 1', { silenceMs: 60_000, totalMs: 60_000 }));
    for (const command of ['silent', 'total', 'ends']) await printed(keeper, command, '\n');
    await writeFile(clockFile(), String(steppedTo));
    for (const [command, how] of [
      ['silent', { status: 'signalled', ended: 'silence' }],
      ['total', { status: 'signalled', ended: 'total' }],
      ['ends', { status: 'exited', exitCode: 0 }],
    ] as const) {
      const { outcome } = await finished(keeper, command);
      expect(outcome).toMatchObject(how);
      const { startedAtMs = 0, endedAtMs = 0 } = outcome ?? {};
      expect(startedAtMs).toBeGreaterThan(Date.now() + HOUR_MS);
      const tookMs = performance.now() - begin;
      expect(endedAtMs - startedAtMs).toBeGreaterThanOrEqual(900);
      expect(endedAtMs - startedAtMs).toBeLessThanOrEqual(tookMs + 1_000);
    }
  });
}
