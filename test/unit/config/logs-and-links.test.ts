import { expect, test, vi } from 'vitest';
import { configOf, tryConfig } from './try-config.ts';

// Threads are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

test.each([
  ['a log with a name that is none', "await ctx.log('../x', '');", 'no name for a log'],
  ['a log of something else', "await ctx.log('x', 1);", 'is number; give a text'],
  ['a log that is too long', "await ctx.log('x', 'é'.repeat(2 * 1024 * 1024 + 1));", 'longer than 4194304 bytes'],
  ['a log twice', "await ctx.log('x', 'a'); await ctx.log('x', 'a');", 'has a log "x" already'],
  ['a log of a command’s name', "await ctx.run('a'); await ctx.log('stdio', 'a');", 'has a log "stdio" already'],
  ['a link without a name', "await ctx.link('', 'https://example.org');", 'no name for a link'],
  ['a link of two lines', "await ctx.link('a\\nb', 'https://example.org');", 'no name for a link'],
  ['a link to no URL', "await ctx.link('a', 'docs/index.html');", 'write it whole'],
  ['a link that is a script', "await ctx.link('a', 'javascript:alert(1)');", 'not of http or https'],
  ['a link to a file', "await ctx.link('a', 'file:///etc/passwd');", 'not of http or https'],
  ['a link with a password', "await ctx.link('a', 'https://u:p@example.org');", 'all would see it'],
  ['a link that is too long', "await ctx.link('a', 'https://example.org/' + 'x'.repeat(2000));", 'longer than 2000'],
  [
    'links without end',
    "for (let i = 0; i < 101; i++) await ctx.link('a' + i, 'https://example.org');",
    'more than 100 links',
  ],
])('%s ends the step as an exception that says what to do', async (_what, code, told) => {
  const { step } = await tryConfig(configOf(`step('odd', async (ctx) => { ${code} })`));
  expect(await step(0)).toMatchObject({ result: 'exception', summary: expect.stringContaining(told) });
});
