import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import { PeopleStand } from '../../support/people-stand.ts';
import { until } from '../../support/until.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let dir: string;
let stand: PeopleStand;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-shown-'));
  stand = await PeopleStand.open(
    `workers: [worker('w')],
    projects: [project('p', {
      builders: [builder('b', { workers: ['w'], steps: [
        step('says', async (ctx) => {
          const { exitCode } = await ctx.run('until [ -e ${dir}/go ]; do sleep 0.05; done; exit 3');
          await ctx.setProperty('code', exitCode);
          return 'warnings';
        }, {
          description: async (ctx) => 'compiling in ' + (await ctx.run('echo here', { capture: 10 })).output,
          descriptionDone: (ctx) => 'code ' + ctx.property('code'),
        }),
        step('tells', async (ctx) => { await ctx.describe('one of two'); await ctx.describe('two\\n of two'); }),
        sh('fine', 'true', { hideIf: (result) => result === 'success' }),
        sh('bad', 'exit 1', { hideIf: (result) => result === 'success', haltOnFailure: false }),
        sh('always', 'true', { hideIf: true }),
        sh('not wanted', 'touch ${dir}/ran', { doIf: (ctx) => ctx.property('code') === 4, hideIf: (result) => result === 'skipped' }),
        sh('left out', 'touch ${dir}/ran', { doIf: false, locks: [masterLock('l')] }),
        sh('asks', 'test -e made', { doIf: async (ctx) => (await ctx.run('touch made')).ok }),
      ] })],
      schedulers: [force()],
    })],`,
    { dora: 'developers' },
  );
  await stand.farm.startWorker('w');
});
afterEach(async () => {
  await writeFile(join(dir, 'go'), '');
  await stand.close();
  await rm(dir, { recursive: true });
});

async function page(words: string): Promise<string> {
  return (await stand.run('dora', words)).out.toString();
}

test('a step says what it is at and what came of it, and is left out where it is not worth a look', async () => {
  const request = await stand.farm.force('b');
  const waits = () => page('build p/b#1').then((text) => /running {3}says .* compiling in here\n?/.test(text));
  await until('the step says what it is at', waits);
  expect(await page('status')).toContain('build 1: says: compiling in here\n');
  await writeFile(join(dir, 'go'), '');
  await stand.farm.watch(request);

  const { steps } = JSON.parse(await page('build 1 --json')) as BuildView;
  expect(steps.map(({ name, result, description, isHidden }) => [name, result, description, isHidden])).toEqual([
    ['says', 'warnings', 'code 3', false],
    ['tells', 'success', 'two of two', false],
    ['fine', 'success', null, true],
    ['bad', 'failure', null, false],
    ['always', 'success', null, true],
    ['not wanted', 'skipped', null, true],
    ['left out', 'skipped', null, false],
    ['asks', 'success', null, false],
  ]);
  expect(existsSync(join(dir, 'ran'))).toBe(false);
  expect(steps[0]?.logs.map(({ name }) => name).toSorted()).toEqual(['stdio', 'stdio-description']);
  expect(steps[6]).toMatchObject({ lockWaitMs: null });

  const shown = await page('build 1');
  expect(shown).toMatch(/warnings {2}says .* code 3 {2}\[/);
  expect(shown).toContain('and 3 hidden: build 1 --all');
  expect(shown).not.toContain('always');
  expect(await page('build 1 --all')).toMatch(/success {3}always /);
});
