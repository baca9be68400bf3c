import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';

let farm: Farm;
const body = randomBytes(7_654_321);

beforeAll(async () => {
  farm = await Farm.create();
  await writeFile(join(farm.dir, 'in.bin'), body);
  await farm.config(`
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
const one = (name: string, fn: Parameters<typeof step>[1]) => builder(name, { workers: ['w'], steps: [step('go', fn), sh('look', 'ls -R', { alwaysRun: true })] });
export default defineMaster({
  title: 'Files',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [
      one('there-and-back', async (ctx) => {
        await ctx.mkdir('a/b');
        await ctx.download('${farm.dir}/in.bin', 'a/b/copy.bin');
        await ctx.run('cat a/b/copy.bin a/b/copy.bin > twice.bin');
        await ctx.upload('twice.bin', '${farm.dir}/out/twice.bin');
        await ctx.remove('a');
      }),
      one('escapes', async (ctx) => { await ctx.mkdir('../../outside'); }),
      one('missing', async (ctx) => { await ctx.upload('not-there', '${farm.dir}/out/never'); }),
    ],
    schedulers: [force()],
  })],
});
`);
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a file goes to the worker and comes back, byte for byte', async () => {
  const build = await farm.build('p/there-and-back');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect((await readFile(join(farm.dir, 'out', 'twice.bin'))).equals(Buffer.concat([body, body]))).toBe(true);
  const listing = (await farm.log(build.id, 'look')).toString();
  expect(listing).toContain('twice.bin');
  expect(listing).not.toContain('copy.bin');
});

test('a path that leaves the folder and a file that is not there fail with their names', async () => {
  const escapes = await farm.build('p/escapes');
  expect(['failure', 'exception']).toContain(escapes.result);
  expect(escapes.steps[0]?.summary).toContain('../../outside');
  const missing = await farm.build('p/missing');
  expect(['failure', 'exception']).toContain(missing.result);
  expect(missing.steps[0]?.summary).toContain('not-there');
});
