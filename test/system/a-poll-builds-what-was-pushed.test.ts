import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PolledView, SourceView } from '../../src/master/views/source.ts';
import { BareRepository } from '../support/bare-repository.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let kate: BareRepository;
let master: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  kate = await BareRepository.make(join(farm.dir, 'kate.git'));
  await kate.commit('main', { message: 'old' });
  const project = (name: string, more: string): string => `project('${name}', {
      source: git(${JSON.stringify(kate.dir)}, { poll: '1s', ${more} }),
      builders: [builder('debian', { workers: ['w'], steps: [checkout(), sh('list', 'ls')] })],
      schedulers: [onChange({ branch: '**', files: ['**', '!*.md'] })],
    })`;
  await farm.config(`
import { builder, checkout, defineMaster, git, onChange, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Polled',
  workers: [worker('w')],
  projects: [${project('kate', "branches: ['main', 'release/*']")}, ${project('tagged', "branches: 'none', tags: true")}],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function sources(): Promise<readonly SourceView[]> {
  return JSON.parse((await farm.ssh(['poll', '--json'])).text) as readonly SourceView[];
}

test('what is pushed is built, once, by itself and over a kill -9; what is polled, and why not, is listed', async () => {
  await until('it is polled', async () => (await sources())[0]?.polledAtMs);
  const first = await kate.commit('main', { message: 'one', files: ['one.c'] });
  await kate.commit('main', { message: 'words', files: ['README.md'] });
  const [build] = await until('a build has come of it', async () => {
    const list = await farm.list();
    return list.length > 0 && list;
  });
  expect(await farm.finished(build!.id)).toMatchObject({ project: 'kate', revision: first, result: 'success' });
  expect((await farm.log(build!.id, 'list')).toString()).toContain('one.c');

  await master.end('SIGKILL');
  const second = await kate.commit('main', { message: 'two' });
  await kate.set('refs/tags/v1', first);
  master = await farm.startMaster();
  const polled = await farm.ssh(['poll', 'kate', '--json']);
  expect(polled.status, polled.stderr).toBe(0);
  expect((JSON.parse(polled.text) as PolledView).url).toBe(kate.dir);
  const changes = JSON.parse((await farm.ssh(['changes', '--json'])).text) as readonly {
    revision: string;
    branch: string;
  }[];
  expect(changes.map(({ branch }) => branch)).toEqual(['refs/tags/v1', 'main', 'main', 'main']);
  const built = await until('all are built', async () => {
    const list = await farm.list();
    return list.length >= 3 && list.every(({ state }) => state === 'finished') && list;
  });
  expect(built.map(({ project, revision }) => `${project} ${revision}`).toSorted()).toEqual(
    [`kate ${first}`, `kate ${second}`, `tagged ${first}`].toSorted(),
  );

  await rename(kate.dir, `${kate.dir}.away`);
  const failed = await farm.ssh(['poll', 'kate']);
  expect(failed.status).toBe(69);
  expect(failed.stderr).toContain('there is no repository');
  expect((await farm.ssh(['poll'])).text).toMatch(/kate\.git +kate,tagged +1\.0 s .*there is no repository/);
  expect(master.stderr().match(/cannot be polled/g)).toHaveLength(1);
});
