import { expect, test, vi } from 'vitest';
import { configOf, tryConfig } from './try-config.ts';

// Threads are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

test.each([
  ['an absolute path', "{ a: '/etc/passwd' }", 'leaves the folder of its command'],
  ['a path that goes up', "{ a: 'b/../../c' }", 'leaves the folder of its command'],
  ['no path', '{ a: {} }', 'has no file'],
  ['a log with a name that is none', "{ '../a': 'a' }", 'no name for a log'],
  ['the name of another log', "{ stdio: 'a' }", 'has a log "stdio" already'],
  ['a limit that is none', "{ a: { file: 'a', logLimit: '1KB' } }", 'is no limit of a log'],
  ['many', "Object.fromEntries(Array.from({ length: 11 }, (_, n) => ['f' + n, 'f']))", 'more than 10 logFiles'],
])('%s for a file of a log ends the step as an exception that says what to do', async (_what, files, told) => {
  const { step } = await tryConfig(configOf(`sh('odd', 'make', { logFiles: ${files} })`));
  expect(await step(0)).toMatchObject({ result: 'exception', summary: expect.stringContaining(told) });
});
