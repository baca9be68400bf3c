import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { serviceUnit } from '../../../src/cli/single-file/service-unit.ts';
import { run } from '../../support/run.ts';
import { isMissing } from '../../support/tools.ts';

const ODD = '/srv/a folder/50%/$HOME/"quoted"/back\\slash';

test('The unit of an invited worker lets its commands outlive it, and quotes what systemd would read otherwise', () => {
  const unit = serviceUnit({ name: 'w', command: ['/usr/bin/node', ODD], isRoot: true });
  const lines = unit.split('\n');
  for (const line of ['KillMode=process', 'Delegate=yes', 'Restart=always', 'WantedBy=multi-user.target']) {
    expect(lines).toContain(line);
  }
  expect(lines).toContain(String.raw`ExecStart=/usr/bin/node "/srv/a folder/50%%/$$HOME/\"quoted\"/back\\slash"`);
  expect(serviceUnit({ name: 'w', command: ['x'], isRoot: false })).toContain('\nWantedBy=default.target\n');
});

test.skipIf(isMissing('systemd-analyze'))(
  'systemd finds nothing wrong with it, as a unit of the system and of a user',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'trunkline-unit-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    for (const isRoot of [true, false]) {
      const unit = join(dir, `trunkline-w${isRoot ? '' : '-user'}.service`);
      await writeFile(unit, serviceUnit({ name: 'w', command: [process.execPath, ODD, 'start', ODD], isRoot }));
      const { status, stderr } = await run('systemd-analyze', [...(isRoot ? [] : ['--user']), 'verify', unit], {
        env: { XDG_RUNTIME_DIR: dir },
      });
      expect([stderr, status]).toEqual(['', 0]);
    }
  },
);
