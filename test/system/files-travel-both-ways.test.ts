import { randomBytes } from 'node:crypto';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ArtifactView } from '../../src/master/views/artifact.ts';
import { Farm } from '../support/farm.ts';

let farm: Farm;
const body = randomBytes(7_654_321);

beforeAll(async () => {
  farm = await Farm.create();
  await writeFile(join(farm.dir, 'in.bin'), body);
  await farm.config(`
import {
  artifact, builder, copy, defineMaster, download, downloadJson, downloadProperties, downloadText, exists, fetchArtifact, force, mkdir, project, remove, rename, sh,
  step, upload, uploadFiles, worker,
} from 'trunkline';
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
      builder('steps', { workers: ['w'], steps: [
        remove('anew', '.cache'),
        mkdir('make', 'tree/below'),
        downloadText('text', (ctx) => 'built by ' + ctx.build.builder, 'tree/below/by.txt', { mode: 0o600 }),
        downloadJson('json', { list: [1, 'ü'] }, 'tree/data.json'),
        step('note', (ctx) => ctx.setProperty('noted', 'yes')),
        downloadProperties('properties', 'tree/properties.json'),
        download('file', '${farm.dir}/in.bin', 'tree/in.bin'),
        copy('copy', 'tree', 'copied'),
        rename('rename', 'copied/below', 'moved'),
        exists('there', 'moved/by.txt'),
        exists('a folder', 'moved', { type: 'folder' }),
        sh('touch', 'touch -d @1000 moved/by.txt'),
        upload('one', 'moved/by.txt', '${farm.dir}/out/by.txt', { mode: 0o640, keepStamp: true }),
        uploadFiles('several', '**/*.json', '${farm.dir}/out/several/', { from: 'tree' }),
        uploadFiles('nothing', '*.none', '${farm.dir}/out/none', { mustMatch: false }),
        exists('gone', 'copied/below', { type: 'folder' }),
      ] }),
      builder('keeps', { workers: ['w'], steps: [
        sh('make', 'mkdir -p out && printf "%s" "$WHAT" > out/a && cp out/a out/b && : > out/empty', { env: { WHAT: (ctx) => String(ctx.property('what')) } }),
        artifact('one', 'out/a', { as: 'one/ü' }),
        artifact('all', 'out/*'),
        sh('bad', (ctx) => ctx.property('what') === 'bad' ? 'exit 1' : 'true'),
      ] }),
      builder('takes', { workers: ['w'], steps: [
        fetchArtifact('last', 'out/a', 'got/a', { from: 'p/keeps', mode: 0o600 }),
        step('first', async (ctx) => { await ctx.fetch('one/ü', 'got/first', { from: 'p/keeps', build: 1 }); }),
        sh('look', 'cat got/a; echo; cat got/first; echo'),
        step('again', async (ctx) => { await ctx.keep('got/a', { name: 'x' }); await ctx.keep('got/first', { name: 'x' }); }, { haltOnFailure: false }),
        step('big', (ctx) => ctx.keep('got/a', { name: 'big', maxBytes: 0 }), { haltOnFailure: false }),
        step('none', (ctx) => ctx.keep('nothing', { name: 'none' }), { haltOnFailure: false }),
        step('up', (ctx) => ctx.keep('got/a', { name: '../x' })),
      ] }),
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

test('the steps for files do what they say, and what they make comes to the master', async () => {
  const build = await farm.build('p/steps');
  const results = build.steps.map(({ name, result }) => `${name}: ${result}`);
  expect(results.slice(0, -1), JSON.stringify(build.steps)).toEqual(
    results.slice(0, -1).map((line) => line.replace(/: .*/, ': success')),
  );
  expect(build.steps.at(-1)).toMatchObject({ result: 'failure', summary: 'copied/below is not there' });
  expect(build.steps.find(({ name }) => name === 'several')?.summary).toBe('2 files');
  const out = join(farm.dir, 'out');
  expect(await readFile(join(out, 'by.txt'), 'utf8')).toBe('built by steps');
  expect(await stat(join(out, 'by.txt'))).toMatchObject({ mode: 0o100640, mtimeMs: 1_000_000 });
  expect(await readdir(join(out, 'several'))).toEqual(['data.json', 'properties.json']);
  expect(JSON.parse(await readFile(join(out, 'several/data.json'), 'utf8'))).toEqual({ list: [1, 'ü'] });
  const { properties } = JSON.parse(await readFile(join(out, 'several/properties.json'), 'utf8'));
  expect(properties).toMatchObject({ noted: 'yes' });
  expect(await readdir(join(farm.masterDir, 'state/files'))).toEqual([]);
});

test('an artifact is kept once, read by people, and fetched by the next build', async () => {
  const first = await farm.build('p/keeps', '-p', 'what=1');
  const second = await farm.build('p/keeps', '-p', 'what=2');
  expect([first.result, second.result], JSON.stringify(first)).toEqual(['success', 'success']);
  expect((await farm.build('p/keeps', '-p', 'what=bad')).result).toBe('failure');
  const listed = JSON.parse((await farm.ssh(['artifacts', String(second.id), '--json'])).text);
  expect(listed.map(({ name, size, step }: ArtifactView) => `${name} ${size} ${step}`)).toEqual([
    'one/ü 1 one',
    'out/a 1 all',
    'out/b 1 all',
    'out/empty 0 all',
  ]);
  // Of 1, 2, b… and nothing: each once.
  expect(await blobs()).toHaveLength(4);
  expect((await farm.ssh(['artifact', 'get', String(second.id), 'one/ü'])).text).toBe('2');
  const missing = await farm.ssh(['artifact', 'get', String(second.id), '../x']);
  expect([missing.status, missing.stderr]).toEqual([66, expect.stringContaining('has no artifact')]);

  const takes = await farm.build('p/takes');
  expect((await farm.log(takes.id, 'look')).toString(), JSON.stringify(takes)).toBe('2\n1\n');
  expect(takes.steps[0]?.summary).toBe('out/a of p/keeps#2');
  const told = Object.fromEntries(takes.steps.map(({ name, result, summary }) => [name, `${result}: ${summary}`]));
  expect(told['again']).toMatch(/^failure: .*has one of that name already/);
  expect(told['big']).toMatch(/^failure: .*at most 0/);
  expect(told['up']).toMatch(/is no name for an artifact/);
  expect(told['none']).toMatch(/^failure: .*no such file/);
});

async function blobs(): Promise<readonly string[]> {
  const names = await readdir(join(farm.masterDir, 'artifacts'), { recursive: true });
  return names.filter((name) => /^..\/.{62}$/.test(name));
}

test('a path that leaves the folder and a file that is not there fail with their names', async () => {
  const escapes = await farm.build('p/escapes');
  expect(['failure', 'exception']).toContain(escapes.result);
  expect(escapes.steps[0]?.summary).toContain('../../outside');
  const missing = await farm.build('p/missing');
  expect(['failure', 'exception']).toContain(missing.result);
  expect(missing.steps[0]?.summary).toContain('not-there');
});
