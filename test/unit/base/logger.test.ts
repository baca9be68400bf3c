import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { actsOnTerminal } from '../../support/terminal.ts';

const LOGGER = resolve(import.meta.dirname, '../../../dist/src/base/logger.js');

async function said(options: string): Promise<string> {
  const script = `import { openLogger } from ${JSON.stringify(LOGGER)};
    const logger = openLogger(${options});
    logger.warn('refused: \\u001b[2J\\nforged', { host: '\\u009b31m' });
    await logger.end();`;
  return (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])).stderr;
}

test('what the other side says cannot move the cursor of who reads the log, nor begin a line of its own', async () => {
  expect(await said('')).toMatch(/^\S+ warn refused: \\x1b\[2J\\x0aforged \{"host":"\\x9b31m"\}\n$/);
});

test('the same in a file, whose lines stay JSON', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tl-log-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await said(JSON.stringify({ file: join(dir, 'log') }));
  const line = await readFile(join(dir, 'log'), 'utf8');
  expect(actsOnTerminal(Buffer.from(line))).toBeUndefined();
  expect(JSON.parse(line)).toMatchObject({ level: 'warn', message: 'refused: \u001b[2J\nforged', host: '\u009b31m' });
});
