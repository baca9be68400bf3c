import { readdir } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { CHECK_STEP } from '../../../src/config/code-host.ts';
import { buildSet, claimOf, TempStore } from '../../support/temp-store.ts';
import { until } from '../../support/until.ts';

test('what a check printed never goes into the archive, as what a step printed does', async () => {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  /** The log of a command that printed a line. */
  const printed = async (isCheck: boolean, step: number): Promise<{ readonly build: number; readonly log: number }> => {
    const [request] = await store.requests.add(buildSet('b'));
    const build = await store.requests.claim({ ...claimOf(request!.id), isCheck });
    const record = { id: `${build.uid}.${step}.1`, buildId: build.id, step, key: '1', kind: 'run', call: {} };
    const log = await store.commands.start(record, { name: 'stdio' });
    const body = Buffer.from('line\n');
    await store.logs.append(log!.id, { offset: 0, length: 5, lines: 1, atMs: 3, codec: 'raw', body });
    return { build: build.id, log: log!.id };
  };
  const files = async (): Promise<readonly string[]> =>
    (await readdir(temp.archiveDir, { recursive: true }).catch(() => [])).filter((name) => name.endsWith('.gz'));

  const check = await printed(true, CHECK_STEP);
  const step = await printed(false, 0);
  temp.clock.advance(60_000);
  await until('the log of the step is sealed', async () => (await files()).length > 0);
  await store.builds.giveBack(check.build, 9);
  await store.close();
  expect(await files()).toEqual([`0/${step.log}.log.gz`]);
});
