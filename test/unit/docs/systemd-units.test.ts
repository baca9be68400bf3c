import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../../support/run.ts';
import { isMissing } from '../../support/tools.ts';

test.skipIf(isMissing('systemd-analyze'))('systemd finds nothing wrong with the units', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-units-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const units: string[] = [];
  for (const name of ['master', 'worker']) {
    const text = await readFile(new URL(`../../../docs/examples/trunkline-${name}.service`, import.meta.url), 'utf8');
    const unit = join(dir, `trunkline-${name}.service`);
    // The program need not be installed here.
    await writeFile(unit, text.replaceAll('/usr/local/bin/trunkline', process.execPath));
    units.push(unit);
  }
  const { status, stderr } = await run('systemd-analyze', ['verify', ...units]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('What a build outlives a restart of its daemon by is in the unit of the worker', async () => {
  const text = await readFile(new URL('../../../docs/examples/trunkline-worker.service', import.meta.url), 'utf8');
  for (const line of ['KillMode=process', 'Delegate=yes', 'Restart=always']) expect(text.split('\n')).toContain(line);
});
