import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { stepSnippets } from '../../support/step-snippets.ts';

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** What `trunkline` exports of the folder of steps, but for what helps to write one. */
async function exportedSteps(): Promise<readonly string[]> {
  const text = await read('src/index.ts');
  const names = Array.from(text.matchAll(/^export \{([^}]*)\} from '\.\/config\/steps\//gm), ([, list = '']) =>
    list.split(',').map((name) => name.trim()),
  );
  return names.flat().filter((name) => name !== '' && name !== 'resolve');
}

/** The names of all that a step's function may ask of its context. */
async function contextMembers(): Promise<readonly string[]> {
  const text = await read('src/config/step-context.ts');
  const from = text.indexOf('export interface StepContext {');
  const body = text.slice(from, text.indexOf('\n}\n', from));
  return Array.from(body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm), ([, name = '']) => name);
}

test('each step has a section of the page of steps, with a snippet that is built', async () => {
  const snippets = await stepSnippets();
  const steps = await exportedSteps();
  expect(steps).toEqual(expect.arrayContaining(['sh', 'checkout', 'step']));
  const missing = steps.filter(
    (name) =>
      !snippets.some(({ section, code }) => section.includes(`${name}(`) && new RegExp(`\\b${name}\\(`).test(code)),
  );
  expect(missing).toEqual([]);
});

test('each call of the context is in a snippet that is built', async () => {
  const code = (await stepSnippets()).map((snippet) => snippet.code).join('\n');
  const members = await contextMembers();
  expect(members).toEqual(expect.arrayContaining(['build', 'run', 'once', 'parallel', 'fail']));
  expect(members.filter((name) => !new RegExp(`\\bctx\\.${name}\\b`).test(code))).toEqual([]);
});
