import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { readTestFile } from '../../../../src/master/test-results/read-test-file.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000 });

async function read(text: string, signal = new AbortController().signal, takenMs = 0) {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-tests-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, 'a.xml');
  await writeFile(file, text);
  const names: string[] = [];
  let isTaking = false;
  const take = async (results: readonly { readonly name: string }[]): Promise<void> => {
    isTaking = true;
    await new Promise((resolve) => setTimeout(resolve, takenMs));
    names.push(...results.map(({ name }) => name));
    isTaking = false;
  };
  const problem = await readTestFile(systemClock, { file, format: 'junit' }, take, signal);
  return { problem, names, isTaking };
}

const one = '<testcase name="one"/>';

test('a file is read in a process of its own', async () => {
  expect(await read(`<testsuite>${one}</testsuite>`)).toEqual({ problem: undefined, names: ['one'], isTaking: false });
});

// A thread would not do: whatever its limit, one that wants much memory at once ends the process that it is of.
test('of a file that takes too much memory it is told, and nothing else feels it', async () => {
  const long = Array.from({ length: 4 }, (_, n) => `a${n}="${'x'.repeat(3_900_000)}"`);
  const cases = one.repeat(600);
  const { problem, names, isTaking } = await read(
    `<testsuite>${cases}${' '.repeat(70_000)}<x ${long.join(' ')}/>`,
    undefined,
    200,
  );
  expect(problem).toBe('it took more than 128 MB to read');
  expect(names).toHaveLength(600);
  expect(isTaking).toBe(false);
});

test('an element with very many attributes is refused', async () => {
  const many = Array.from({ length: 2_000_000 }, (_, n) => `a${n.toString(36)}=""`);
  const { problem, names } = await read(`<testsuite>${one}<x ${many.join(' ')}/></testsuite>`);
  expect(problem).toBe('one of its elements has more than 1000 attributes');
  expect(names).toEqual(['one']);
});

test('a file that is read no more is let go of', async () => {
  const stop = new AbortController();
  const reading = read(`<testsuite>${one.repeat(200_000)}</testsuite>`, stop.signal, 50);
  setTimeout(() => stop.abort(new Error('the step is over')), 300);
  await expect(reading).rejects.toThrow('the step is over');
});
