import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LOGGER = resolve(import.meta.dirname, '../../../dist/src/base/logger.js');

test('what the other side says cannot move the cursor of who reads the log, nor begin a line of its own', async () => {
  const script = `import { openLogger } from ${JSON.stringify(LOGGER)};
    const logger = openLogger();
    logger.warn('refused: \\u001b[2J\\nforged', { host: '\\u009b31m' });
    await logger.end();`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stderr).toMatch(/^\S+ warn refused: \\x1b\[2J\\x0aforged \{"host":"\\x9b31m"\}\n$/);
});
