import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import { runOk } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from '../master/try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const EXAMPLE = new URL('../../../docs/examples/from-buildbot.ts', import.meta.url);
const MAKEFILE = 'all check deb rpm docs:\n\t@echo making $@\n';

/** The example, of another repository, and with less patience. */
async function exampleOf(repository: string): Promise<string> {
  let text = await readFile(EXAMPLE, 'utf8');
  for (const [theirs, ours] of [
    ["'https://git.example.org/editor.git'", JSON.stringify(repository)],
    ["poll: '5m'", "poll: '1d'"],
    ["quiet: '1m'", "quiet: '1s'"],
  ] as const) {
    expect(text.split(theirs)).toHaveLength(2);
    text = text.replace(theirs, ours);
  }
  return text;
}

test('the example for those who come from Buildbot builds what it says: polled, when it is quiet, followed, triggered', async () => {
  const farm = await TryFarm.create('workers: [], projects: []');
  onTestFinished(() => farm.close());
  const repository = join(farm.dir, 'editor');
  const git = (...args: readonly string[]): Promise<string> =>
    runOk('git', ['-C', repository, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', ...args]);
  const commit = async (message: string): Promise<string> => {
    await git('add', '-A');
    await git('commit', '-q', '--allow-empty', '-m', message);
    return await git('rev-parse', 'HEAD');
  };
  await mkdir(repository);
  await git('init', '-q', '-b', 'main');
  await writeFile(join(repository, 'Makefile'), MAKEFILE);
  await commit('Begin');

  await writeFile(join(farm.masterDir, 'trunkline.config.ts'), await exampleOf(repository));
  await farm.startMaster();
  await farm.startWorker('linux-1');
  const built = (name: string): Promise<BuildView> =>
    until(`${name} is built`, async () => {
      const [build] = await farm.operator.builds(ADMIN, { project: 'editor', builder: name, limit: 1 });
      return build?.state === 'finished' ? build : undefined;
    });

  expect((await farm.operator.poll(ADMIN, 'editor')).changes).toEqual([]);
  await commit('One');
  const tip = await commit('Two');
  expect((await farm.operator.poll(ADMIN, 'editor')).changes).toHaveLength(2);
  expect(await built('quick')).toMatchObject({
    result: 'success',
    number: 1,
    scheduler: 'main',
    revision: tip,
    changes: [{ subject: 'One' }, { subject: 'Two' }],
    blame: ['Ann <ann@example.org>'],
  });
  expect(await built('docs')).toMatchObject({ result: 'success', number: 1, scheduler: 'docs', revision: tip });

  const wish = { project: 'editor', builder: 'full' };
  const { id } = await farm.operator.force(ADMIN, wish, { properties: { target: 'release' } });
  const last = (await farm.watch(id)).at(-1);
  expect(last).toMatchObject({
    kind: 'build',
    build: {
      result: 'success',
      children: [
        { builder: 'deb', result: 'success', isWaitedFor: true },
        { builder: 'rpm', result: 'success', isWaitedFor: true },
      ],
    },
  });
});
