import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as api from '../../src/index.ts';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm } from '../support/farm.ts';
import { stepSnippets } from '../support/step-snippets.ts';
import { until } from '../support/until.ts';

/**
 * Every block of docs/steps.md that begins with `ts run` is the steps of a builder (with `ts run builder` its options), all of one
 * project on one master, built at once by one change of its repository. What they may count on:
 *
 * - the repository: `README`, `hello.c` and a `Makefile` with the targets `all` and `check`, of which both succeed;
 * - on the master's disk, relative to its folder: `files/greeting.txt`, which says "good day";
 * - the secret `docs`;
 * - the property `server`: the URL of a web server that answers `/404` with 404, and all that is no number with 200 and what it was asked;
 * - the scheduler `docs`, to trigger a builder of that name, which keeps the artifact `manual.txt`.
 */
const REPOSITORY = {
  README: 'A repository\n',
  'hello.c': '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n',
  Makefile: 'all:\n\t@echo made\ncheck:\n\t@echo checked\n',
};
const AT_A_TIME = 6;

let farm: Farm;
const server = createServer(({ method, url = '' }, response) => {
  response.writeHead(Number(url.slice(1)) || 200).end(`${method} ${url}\n`);
});

beforeAll(async () => {
  farm = await Farm.create();
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  server.close().closeAllConnections();
  await farm.close();
});

test('each snippet of the page of steps ends as the page says', async () => {
  const snippets = await stepSnippets();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const builders = snippets.map(({ line, isBuilder, code }) => {
    const options = isBuilder ? code : `properties: { server: '${url}' }, steps: [\n${code}],\n`;
    return `builder('line-${line}', { workers: ['w'], ${options} })`;
  });
  const names = JSON.stringify(snippets.map(({ line }) => `line-${line}`));
  await mkdir(join(farm.masterDir, 'files'));
  await writeFile(join(farm.masterDir, 'files', 'greeting.txt'), 'good day\n');
  await writeFile(join(farm.masterDir, 'files', 'secret'), 'correct horse battery staple\n', { mode: 0o600 });
  const repository = await farm.repository('steps', REPOSITORY);
  await farm.config(`
import { ${Object.keys(api).join(', ')} } from 'trunkline';
export default defineMaster({
  title: 'Steps',
  secrets: { docs: secretFile('files/secret', { projects: ['p'] }) },
  workers: [worker('w', { maxBuilds: ${AT_A_TIME} })],
  projects: [project('p', {
    source: git(${JSON.stringify(repository)}),
    builders: [
      builder('docs', { workers: ['w'], steps: [sh('make', 'echo manual > manual.txt'), artifact('keep', 'manual.txt')] }),
      ${builders.join(',\n')}
    ],
    schedulers: [
      onChange({ branch: 'main', builders: ${names} }),
      triggerable('docs', { builders: ['docs'] }),
    ],
  })],
});
`);
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
  const sent = await farm.ssh(['sendchange', 'p', '--branch', 'main', '--revision', await farm.tip(repository)]);
  expect(sent.status, sent.stderr).toBe(0);

  const builds = await until('all are built', async () => {
    const ran = await farm.ssh(['builds', 'p', '-n', '1000', '--json']);
    const all = (JSON.parse(ran.text) as readonly BuildView[]).filter(({ builder }) => builder !== 'docs');
    return all.length === snippets.length && all.every(({ state }) => state === 'finished') && all;
  });
  const ends = new Map(builds.map((build) => [build.builder, build]));
  const wrong = snippets.filter(({ line, result }) => ends.get(`line-${line}`)?.result !== result);
  const told = await Promise.all(
    wrong.map(async ({ line, result, code }) => {
      const build = ends.get(`line-${line}`);
      const page = (await farm.ssh(['build', String(build?.id)])).text;
      const step = build?.steps.find((one) => one.result !== null && one.result !== 'success' && one.logs.length > 0);
      const log = step ? (await farm.ssh(['log', String(build?.id), step.name])).text : '';
      return `docs/steps.md:${line} ended as ${build?.result}, not ${result}\n${code}${page}${log}`;
    }),
  );
  expect(told.join('\n')).toBe('');
});
